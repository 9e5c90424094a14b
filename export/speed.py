"""Whether INT8 is worth it: its speed beside that of float, in the same engine and the same run."""

import os
import platform
import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from export.protocol import Engine

SIDE = 128
"""Side of the timed picture in LR pixels, where the artifact's own tile is not another."""
ROUNDS = 20
MOST_THREADS = 2
"""As many as a phone has large cores; more of them wait for each other wherever something else computes as well."""


def time_rounds(engines: Mapping[str, Engine], side: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of each engine for a picture of [side, side].

    Rounds go through all engines, so that noise of the machine hits all alike. In a round each runs twice and the
    second run counts: the first refills the caches that the engine before it has emptied.
    """
    picture = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            engine(picture)
            before = time.perf_counter()
            engine(picture)
            seconds[name].append(time.perf_counter() - before)
    return {name: statistics.median(values) for name, values in seconds.items()}


def timing_threads() -> int:
    """How many threads an engine is timed with: never more than processors that this process may use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, there)


def advise(file: str, engine: Engine, against: str, reference: Engine, side: int, threads: int) -> dict[str, Any]:
    """A row for the manifest: whether `file` is recommended beside `against`, a more exact one, and the figures.

    ``threads`` are those of either engine.
    """
    seconds = time_rounds({file: engine, against: reference}, side)
    speedup = seconds[against] / seconds[file]
    return {
        "file": file,
        "against": against,
        "recommended": speedup > 1,
        "speedup": round(speedup, 2),
        "median_ms": round(1e3 * seconds[file], 2),
        "against_median_ms": round(1e3 * seconds[against], 2),
        "side": side,
        "machine": platform.machine(),
        "threads": threads,
    }
