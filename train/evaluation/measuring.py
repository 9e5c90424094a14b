"""How long calls take side by side, and on which machine."""

import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.status import Status

Call = Callable[[], object]

_LEAST_ROUNDS = 3
_LEAST_SECONDS = 0.05
"""Calls shorter than this are repeated within a round until it has passed."""
_SIDES = {"cpu": (512, 1024, 2048, 4096), "cuda": (4096, 8192, 16384), "mps": (1024, 2048, 4096)}
"""Of the square matrices whose product is taken as what the device can do."""


@dataclass(frozen=True)
class Timing:
    """Seconds per call, over the rounds."""

    median: float
    least: float
    rounds: int


def side_by_side(calls: Mapping[str, Call], seconds: float, device: torch.device, status: Status) -> dict[str, Timing]:
    """Time all calls in turn, round after round, for about ``seconds`` per call and at least three rounds.

    So what else happens on the machine meets all of them alike. The first call of each, which costs more than
    the others, should be over.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    begin, whole = time.perf_counter(), seconds * len(calls)
    rounds = 0
    while rounds < _LEAST_ROUNDS or time.perf_counter() - begin < whole:
        for name, call in calls.items():
            status.update(f"round {rounds + 1}, {time.perf_counter() - begin:.0f} of {whole:.0f} s: {name}")
            taken[name].append(_seconds(call, device))
        rounds += 1
    return {name: Timing(statistics.median(values), min(values), rounds) for name, values in taken.items()}


def _seconds(call: Call, device: torch.device) -> float:
    count, begin = 0, time.perf_counter()
    while True:
        call()
        synchronize(device)
        count, elapsed = count + 1, time.perf_counter() - begin
        if elapsed > _LEAST_SECONDS:
            return elapsed / count


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def matrix_products(dtype: torch.dtype, device: torch.device) -> dict[str, tuple[Call, float]]:
    """Products of square matrices of several sizes, and the floating-point operations of each: 2 n^3."""

    def product(n: int) -> Call:
        a, b, out = (torch.randn(n, n, device=device).to(dtype) for _ in range(3))
        return lambda: torch.matmul(a, b, out=out)

    return {f"{n}x{n} matrix product": (product(n), 2.0 * n**3) for n in _SIDES[device.type]}


def held_memory() -> int:
    """Bytes that PyTorch holds now on the CUDA device, 0 without one: what ``peak_memory`` need not count."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


def peak_memory(call: Call, device: torch.device, held: int = 0) -> int | None:
    """Bytes: on CUDA the most that PyTorch has allocated during the call, less ``held``; elsewhere the most resident
    memory of this process so far, which never falls; None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - held
    call()
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def describe_machine(device: torch.device) -> dict[str, Any]:
    """CPU and GPU by name, their number, the system, and the load (runnable processes, last minute) before timing."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"cpu": _cpu_name(), "cpus": os.cpu_count(), "gpu": gpu, "system": platform.platform(), "load": load}


def describe_versions(*packages: str) -> dict[str, str | None]:
    """Python's version and those of installed packages."""
    versions: dict[str, str | None] = {"python": platform.python_version(), **dict.fromkeys(packages)}
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
