"""The files of one bundle side by side, in one process: what INT8 brings on this device."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from runtime.backends import BACKENDS, Available
from runtime.bundle import Artifact, Bundle
from runtime.tiling import round_up


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


def usable_artifacts(bundle: Bundle) -> list[Artifact]:
    """The files of free size whose engine is here, in the bundle's order."""
    return [
        artifact
        for artifact in bundle.manifest.artifacts
        if artifact.tile is None
        and artifact.backend in BACKENDS
        and isinstance(BACKENDS[artifact.backend].probe(), Available)
    ]


def time_files(bundle: Bundle, side: int, *, threads: int | None, repeats: int) -> list[FileTiming]:
    """Time one call of the network for each usable file. Raises `BundleError` or `BackendError`.

    Rounds go through all files, so that noise of the machine hits all alike. In a round each runs twice and the second
    run counts: the first one refills the caches that the file before it has emptied.
    """
    artifacts = usable_artifacts(bundle)
    sessions = [BACKENDS[artifact.backend].load(bundle.open(artifact), threads) for artifact in artifacts]
    side = round_up(side, bundle.manifest.align)
    batch = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    seconds: list[list[float]] = [[] for _ in artifacts]
    for _ in range(repeats):
        for session, measured in zip(sessions, seconds, strict=True):
            session.run(batch)
            before = time.perf_counter()
            session.run(batch)
            measured.append(time.perf_counter() - before)
    medians = [statistics.median(measured) for measured in seconds]
    return [
        FileTiming(
            artifact.file,
            artifact.backend,
            artifact.precision,
            side,
            1e3 * median,
            1e3 * min(measured),
            medians[0] / median,
        )
        for artifact, median, measured in zip(artifacts, medians, seconds, strict=True)
    ]
