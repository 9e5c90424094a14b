"""Whole pictures, each size or engine in a fresh process of its own: cold start, warm runs, memory."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import runtime
from apps.benchmarks.worker import measure_in_worker
from runtime.backends import runnable


@dataclass(frozen=True)
class PictureTiming:
    """A [side, side] picture by one engine; memory in MiB, None where the system does not say."""

    side: int
    backend: str
    precision: str
    tiles: int
    """How many the engine runs for it; their size depends on the file."""
    cold_ms: float
    warm_median_ms: float
    warm_min_ms: float
    tiles_per_second: float
    """In the median warm run."""
    peak_memory_mib: float | None


def time_engines(bundle: runtime.Bundle, side: int, *, threads: int | None, repeats: int) -> list[PictureTiming]:
    """Time one picture by every engine and precision that `backend="auto"` may take here. Raises `CommandError`."""
    usable = {
        (choice.backend.name, choice.artifact.precision) for choice in runnable(bundle.manifest) if choice.automatic
    }
    return [time_picture(bundle.path, side, threads, repeats, *names) for names in sorted(usable)]


def time_picture(
    bundle: Path, side: int, threads: int | None, repeats: int, backend: str = "auto", precision: str = "auto"
) -> PictureTiming:
    """Time a picture of noise in a fresh process. Raises `CommandError` where that fails."""
    times = measure_in_worker("picture", bundle, side, repeats, threads or 0, backend, precision)
    warm, peak = statistics.median(times["warm"]), times["peak_memory"]
    return PictureTiming(
        side=side,
        backend=times["backend"],
        precision=times["precision"],
        tiles=times["tiles"],
        cold_ms=1e3 * times["cold"],
        warm_median_ms=1e3 * warm,
        warm_min_ms=1e3 * min(times["warm"]),
        tiles_per_second=times["tiles"] / warm,
        peak_memory_mib=peak and peak / 2**20,
    )
