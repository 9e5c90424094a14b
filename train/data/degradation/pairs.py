"""Which degradation makes the low-resolution side of a pair."""

from collections.abc import Callable

from numpy.random import Generator
from torch import Tensor

from train.data.degradation.face import degrade_face
from train.data.degradation.pipeline import degrade
from train.data.degradation.settings import DegradationSettings

Pair = tuple[Tensor, Tensor]


def _real_esrgan(hq: Tensor, rng: Generator, settings: DegradationSettings, scale: int) -> Pair:
    return hq, degrade(hq, rng, settings, scale)


def _gfpgan(hq: Tensor, rng: Generator, settings: DegradationSettings, scale: int) -> Pair:
    return degrade_face(hq, rng, settings.face)


KINDS: dict[str, Callable[[Tensor, Generator, DegradationSettings, int], Pair]] = {
    "real-esrgan": _real_esrgan,
    "gfpgan": _gfpgan,
}


def degraded_pair(hq: Tensor, rng: Generator, settings: DegradationSettings, scale: int) -> Pair:
    """(HQ, LQ) of `hq` [3, H, W] in [0, 1]; LQ has 1 / scale of its sides, with "gfpgan" all of them.

    A degradation may change HQ too: faces rarely lose their colours on both sides. Raises ValueError where the
    picture is too small for the blur drawn.
    """
    return KINDS[settings.kind](hq, rng, settings, scale)
