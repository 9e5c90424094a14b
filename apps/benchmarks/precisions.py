"""The files of one bundle side by side, in one process: what INT8 brings on this device."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from runtime.backends import Choice, runnable
from runtime.bundle import Bundle
from runtime.manifest import PRECISIONS
from runtime.tiles.tiling import round_up


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
    found = [choice for choice in runnable(bundle.manifest) if choice.automatic and choice.artifact.tile is None]
    return sorted(found, key=lambda choice: PRECISIONS.index(choice.artifact.precision))


def time_files(bundle: Bundle, side: int, *, threads: int | None, repeats: int) -> list[FileTiming]:
    """Time one call of the network for each usable file. Raises `BundleError` or `BackendError`.

    Rounds go through all files, so that noise of the machine hits all alike. In a round each runs twice and the second
    run counts: the first one refills the caches that the file before it has emptied.
    """
    choices = usable_files(bundle)
    sessions = [choice.backend.load(bundle, choice.artifact, threads) for choice in choices]
    side = round_up(side, bundle.manifest.align)
    batch = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    seconds: list[list[float]] = [[] for _ in choices]
    for _ in range(repeats):
        for session, measured in zip(sessions, seconds, strict=True):
            session.run(batch)
            before = time.perf_counter()
            session.run(batch)
            measured.append(time.perf_counter() - before)
    medians = [statistics.median(measured) for measured in seconds]
    return [
        FileTiming(
            choice.artifact.file,
            choice.backend.name,
            choice.artifact.precision,
            side,
            1e3 * median,
            1e3 * min(measured),
            medians[0] / median,
        )
        for choice, median, measured in zip(choices, medians, seconds, strict=True)
    ]
