"""The files of one bundle side by side, in one process: what INT8 brings on this device."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from runtime.backends import Choice, runnable
from runtime.bundle import Bundle
from runtime.manifest import PRECISIONS
from runtime.tiles.tiling import round_up
from tadsr.measuring import time_in_rounds


@dataclass(frozen=True)
class FileTiming:
    """One file at 1x3xsidexside in. `ratio_to_first` is the first file's median over its own: above 1, it is faster."""

    file: str
    backend: str
    precision: str
    side: int
    median_ms: float
    min_ms: float
    ratio_to_first: float


def usable_files(bundle: Bundle) -> list[Choice]:
    """The files of free size in each engine that `backend="auto"` may take here, the most exact files first."""
    usable = [choice for choice in runnable(bundle.manifest) if choice.automatic and choice.artifact.tile is None]
    return sorted(usable, key=lambda choice: PRECISIONS.index(choice.artifact.precision))


def time_files(bundle: Bundle, side: int, *, threads: int | None, repeats: int) -> list[FileTiming]:
    """Time one call of the network for each usable file, in rounds. Raises `BundleError` or `BackendError`."""
    choices = usable_files(bundle)
    side = round_up(side, bundle.manifest.align)
    batch = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    calls = {
        f"{choice.backend.name} {choice.artifact.file}": partial(
            choice.backend.load(bundle, choice.artifact, threads).run, batch
        )
        for choice in choices
    }
    timings = list(time_in_rounds(calls, repeats).values())
    return [
        FileTiming(
            choice.artifact.file,
            choice.backend.name,
            choice.artifact.precision,
            side,
            1e3 * timing.median,
            1e3 * timing.least,
            timings[0].median / timing.median,
        )
        for choice, timing in zip(choices, timings, strict=True)
    ]
