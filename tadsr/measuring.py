"""How every benchmark of the project times calls, and how it describes memory, machine and versions."""

import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

Call = Callable[[], object]

LONG = 5.0
"""Seconds beyond which a call is timed without another call before it: caches are refilled within milliseconds."""


class Timing(NamedTuple):
    """Seconds of the counted runs of one call, one per round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds of the middle run."""
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """Seconds of the fastest run."""
        return min(self.seconds)


def time_in_rounds(
    calls: Mapping[str, Call], rounds: int, seconds: float = 0, progress: Callable[[str], object] = lambda _text: None
) -> dict[str, Timing]:
    """Time calls side by side, for at least ``rounds`` rounds and about ``seconds`` per call.

    Every round goes through all calls, so that noise of the machine meets all alike. In a round each call runs twice
    and the second run counts: the first refills the caches that the call before it has emptied. ``progress`` gets a
    line before each call.

    >>> timing = time_in_rounds({"sum": lambda: sum(range(1000))}, rounds=3)["sum"]
    >>> len(timing.seconds), timing.least <= timing.median
    (3, True)
    """
    timings: dict[str, Timing] = {name: Timing([]) for name in calls}
    begin, whole, done = time.perf_counter(), seconds * len(calls), 0
    while done < rounds or time.perf_counter() - begin < whole:
        done += 1
        for name, call in calls.items():
            progress(f"round {done}, {time.perf_counter() - begin:.0f} s: {name}")
            elapsed = _seconds(call)
            timings[name].seconds.append(elapsed if elapsed > LONG else _seconds(call))
    return timings


def _seconds(call: Call) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def peak_memory() -> int | None:
    """The most resident memory that this process has held so far, in bytes; None where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage's, this figure does not start with the size of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def describe_machine() -> dict[str, Any]:
    """The CPU's name, how many there are, the system, and the load: runnable processes in the last minute."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {"cpu": _cpu_name(), "cpus": os.cpu_count(), "system": platform.platform(), "load": load}


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_versions(*packages: str) -> dict[str, str | None]:
    """Python's version and those of packages by the names that pip knows; None for what is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version(), **dict.fromkeys(packages)}
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
