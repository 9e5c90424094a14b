"""The random degradations from a sharp picture to a low-resolution one."""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from train.data.degradation import kernels
from train.data.degradation.face import degrade_face
from train.data.degradation.filters import filter2d
from train.data.degradation.jpeg import jpeg
from train.data.degradation.kernels import Kernel
from train.data.degradation.noise import gaussian_noise, poisson_noise
from train.data.degradation.resize import MODES, resize
from train.data.degradation.settings import DegradationSettings, Range, StageSettings

_WIDE_SINC = 13
"""From this kernel size on a sinc in place of a blur may cut off as low as pi / 5, else pi / 3."""


def _odd_size(rng: Generator, bounds: tuple[int, int]) -> int:
    return bounds[0] + 2 * int(rng.integers((bounds[1] - bounds[0]) // 2 + 1))


def _beta(rng: Generator, bounds: Range) -> float:
    """Uniform below or above 1, each half of the time, so that both shapes are as likely."""
    return rng.uniform(bounds[0], 1.0) if rng.random() < 0.5 else rng.uniform(1.0, bounds[1])


def draw_blur(rng: Generator, stage: StageSettings) -> Kernel:
    """A random blur kernel of `stage`."""
    size = _odd_size(rng, stage.kernel_size)
    if rng.random() < stage.sinc_prob:
        return kernels.sinc(size, rng.uniform(np.pi / (3 if size < _WIDE_SINC else 5), np.pi))
    families = (
        (kernels.gaussian, (1.0, 1.0)),
        (kernels.gaussian, stage.generalized_beta),
        (kernels.plateau, stage.plateau_beta),
    )
    family, anisotropic = divmod(int(rng.choice(len(stage.kernel_prob), p=stage.kernel_prob)), 2)
    shape, betas = families[family]
    sigma_x = rng.uniform(*stage.sigma)
    sigma_y, theta = (rng.uniform(*stage.sigma), rng.uniform(-np.pi, np.pi)) if anisotropic else (sigma_x, 0.0)
    return shape(size, sigma_x, sigma_y, theta, _beta(rng, betas))


def _resize_factor(rng: Generator, stage: StageSettings) -> float:
    low, high = stage.resize_range
    ranges = ((1.0, high), (low, 1.0), (1.0, 1.0))
    return rng.uniform(*ranges[rng.choice(len(ranges), p=stage.resize_prob)])


def _random_resize(image: Tensor, size: tuple[int, int], rng: Generator) -> Tensor:
    return resize(image, size, MODES[rng.integers(len(MODES))])


def _add_noise(image: Tensor, rng: Generator, stage: StageSettings, generator: torch.Generator) -> Tensor:
    gray = rng.random() < stage.grey_prob
    if rng.random() < stage.gaussian_prob:
        return gaussian_noise(image, rng.uniform(*stage.gaussian_sigma), gray, generator)
    return poisson_noise(image, rng.uniform(*stage.poisson_scale), gray, generator)


def _stage(
    image: Tensor, base: tuple[int, int], rng: Generator, stage: StageSettings, generator: torch.Generator
) -> Tensor:
    """Blur, resize to a random multiple of `base` (height, width), add noise."""
    if rng.random() < stage.blur_prob:
        image = filter2d(image, draw_blur(rng, stage))
    factor = _resize_factor(rng, stage)
    image = _random_resize(image, (int(base[0] * factor), int(base[1] * factor)), rng)
    return _add_noise(image, rng, stage, generator)


def degraded_pair(hq: Tensor, rng: Generator, settings: DegradationSettings, scale: int) -> tuple[Tensor, Tensor]:
    """(HQ, LQ) of `hq` [3, H, W] in [0, 1]; LQ has 1 / scale of its sides, with "gfpgan" all of them.

    A degradation may change HQ too: faces rarely lose their colours on both sides. Raises ValueError where the
    picture is too small for the blur drawn.
    """
    if settings.kind == "gfpgan":
        return degrade_face(hq, rng, settings.face)
    return hq, degrade(hq, rng, settings, scale)


def degrade(hq: Tensor, rng: Generator, settings: DegradationSettings, scale: int = 4) -> Tensor:
    """A low-resolution version of `hq`: Real-ESRGAN's two rounds, the second one optional as in ResShift.

    With `light_prob` some pictures get the light round in place of both. Takes float32 [3, H, W] in [0, 1] with sides
    of at least 48 pixels, on any device; returns [3, H // scale, W // scale] in [0, 1] on 256 levels. All randomness
    comes from `rng`: the same state gives the same picture on the same kind of device.

    Raises ValueError where a picture is too small for the blur drawn.
    """
    generator = torch.Generator(hq.device).manual_seed(int(rng.integers(2**63)))
    height, width = hq.shape[-2:]
    small = (height // scale, width // scale)

    if settings.light_prob and rng.random() < settings.light_prob:
        image = _stage(hq, (height, width), rng, settings.light, generator)
        return _in_levels(
            jpeg(_random_resize(image, small, rng).clamp(0, 1), rng.uniform(*settings.light_jpeg_quality))
        )

    image = _stage(hq, (height, width), rng, settings.first, generator)
    image = jpeg(image, rng.uniform(*settings.jpeg_quality))
    if rng.random() < settings.second_prob:
        image = _stage(image, small, rng, settings.second, generator)

    ringing = (
        kernels.sinc(_odd_size(rng, settings.final_sinc_size), rng.uniform(np.pi / 3, np.pi))
        if rng.random() < settings.final_sinc_prob
        else None
    )
    quality = rng.uniform(*settings.jpeg_quality)

    def finish(image: Tensor) -> Tensor:
        image = _random_resize(image, small, rng)
        return image if ringing is None else filter2d(image, ringing)

    image = jpeg(finish(image).clamp(0, 1), quality) if rng.random() < 0.5 else finish(jpeg(image, quality))
    return _in_levels(image)


def _in_levels(image: Tensor) -> Tensor:
    """On the 256 levels of an 8-bit picture."""
    return image.mul(255).round_().clamp_(0, 255).div_(255)
