"""Whole pictures, each size or engine in a fresh process of its own: cold start, warm runs, memory."""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import runtime
from apps.errors import CommandError
from runtime.backends import runnable


@dataclass(frozen=True)
class PictureTiming:
    """A [side, side] picture by one engine; memory in MiB, None where the system does not tell."""

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
    """The same picture by every engine and precision that `backend="auto"` may take here. Raises `CommandError`."""
    found = {(each.backend.name, each.artifact.precision) for each in runnable(bundle.manifest) if each.automatic}
    return [
        time_picture(bundle.path, side, threads=threads, repeats=repeats, backend=backend, precision=precision)
        for backend, precision in sorted(found)
    ]


def time_picture(
    bundle: Path,
    side: int,
    *,
    threads: int | None,
    repeats: int,
    backend: str = "auto",
    precision: str = "auto",
) -> PictureTiming:
    """Time a picture of noise in a fresh process. Raises `CommandError` where that fails."""
    script = Path(__file__).with_name("fresh.py")
    # The process finds this same tadsr, and never a `runtime.py` or `train.py` in the folder where the user stands.
    home = str(Path(runtime.__file__).parents[1])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-P", script, bundle, str(side), str(repeats), str(threads or 0), backend, precision],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CommandError(f"{bundle}: the process that times {side}x{side} failed: {reason}")
    times = json.loads(done.stdout)
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
