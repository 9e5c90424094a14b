"""Whether INT8 is worth it: its speed beside that of float, in the same engine and the same run."""

import os
import platform
from typing import Any

import numpy as np

from export.protocol import Engine
from tadsr.measuring import time_in_rounds

SIDE = 128
"""Side of the timed picture in LR pixels, where the artifact's own tile is not another."""
ROUNDS = 20
MOST_THREADS = 2
"""As many as a phone has large cores; more of them wait for each other wherever something else computes as well."""


def timing_threads() -> int:
    """How many threads an engine is timed with: never more than processors that this process may use."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, there)


def advise(file: str, engine: Engine, against: str, reference: Engine, side: int, threads: int) -> dict[str, Any]:
    """Time an artifact beside ``against``, a more exact one, for a picture of [side, side].

    Returns a row for the manifest: whether ``file`` is recommended, and the figures. ``threads`` are those of either
    engine.
    """
    picture = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    timings = time_in_rounds({file: lambda: engine(picture), against: lambda: reference(picture)}, ROUNDS)
    seconds, baseline = timings[file].median, timings[against].median
    return {
        "file": file,
        "against": against,
        "recommended": baseline > seconds,
        "speedup": round(baseline / seconds, 2),
        "median_ms": round(1e3 * seconds, 2),
        "against_median_ms": round(1e3 * baseline, 2),
        "side": side,
        "machine": platform.machine(),
        "threads": threads,
    }
