"""`tadsr bench`: how long the model takes on this device, and how much memory."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import runtime
from apps.benchmarks.chart import bar_chart
from apps.benchmarks.cold_start import PictureTiming, time_engines, time_picture
from apps.benchmarks.columns import Columns, rich_table
from apps.benchmarks.compare_files import FileTiming, time_files, usable_files
from apps.benchmarks.overhead import OverheadTiming, time_overhead
from apps.benchmarks.reference_networks import NetworkTiming, time_side_by_side
from runtime.upscaler import Upscaler
from tadsr.commands import say
from tadsr.measuring import describe_machine, describe_versions

SIDES = (128, 512)
ENGINES_SIDE = 256
OVERHEAD_SIDES = (512, 1024)
ROUNDS = "in one process, in rounds that run each twice and count the second"
CONDITIONS = {
    "input": "a square picture of uniform noise, 8-bit RGB array",
    "upscale": "array in, array out, each size in a fresh process of its own",
    "cold": "import, load and first picture; starting Python itself is not counted, files may be in the disk cache",
    "warm": "the same picture again",
    "peak_memory": "the most resident memory of that process, Python included",
    "engines": "as upscale, the same picture by every engine and precision; tiles per second of the median warm run, "
    "in tiles of the file's own size",
    "files": "one call of the network on the same float32 input for every file of the bundle that runs here, "
    f"{ROUNDS}; no reading, tiling or saving",
    "overhead": "a picture of noise by the bare engine, tile after tile, by the runtime, array in and array out, and "
    f"by the bare engine with two tiles at once, {ROUNDS}",
    "peers": "one InferenceSession.run on the same 1x3x128x128 float32 input for every network: ONNX Runtime, CPU, "
    f"fp32, {ROUNDS}; no reading, tiling or saving; the peers' weights are random",
}

_ENGINE, _PICTURE = "{backend}/{precision}", "{side}x{side}"
_WHOLE: Columns = {
    "picture": _PICTURE,
    "engine": _ENGINE,
    "cold start ms": "{cold_ms:.0f}",
    "warm ms": "{warm_median_ms:.0f}",
    "fastest ms": "{warm_min_ms:.0f}",
    "tiles/s": "{tiles_per_second:.1f}",
    "peak MiB": "{peak_memory_mib:.0f}",
}
TABLES: dict[str, tuple[str, Columns]] = {
    "upscale": ("Whole pictures", _WHOLE),
    "engines": ("One picture by each engine", _WHOLE),
    "files": (
        "The files side by side",
        {
            "file": _ENGINE,
            "picture": _PICTURE,
            "median ms": "{median_ms:.1f}",
            "fastest ms": "{min_ms:.1f}",
            "faster": "{ratio_to_first:.2f}x",
        },
    ),
    "peers": (
        "The network itself, 128x128 to 512x512, fp32",
        {
            "network": "{network}",
            "parameters": "{parameters:,}",
            "GMACs": "{gmacs:.2f}",
            "median ms": "{median_ms:.1f}",
            "fastest ms": "{min_ms:.1f}",
            "ratio": "{ratio_to_ours:.2f}",
        },
    ),
    "overhead": (
        "The runtime",
        {
            "file": _ENGINE,
            "picture": _PICTURE,
            "tiles": "{tiles}",
            "bare ms": "{bare_median_ms:.1f}",
            "runtime ms": "{runtime_median_ms:.1f}",
            "added": "{overhead:+.1%}",
            "two at once": "{two_at_once:+.1%}",
        },
    ),
}
"""By field of the report: the title of its table, and the columns."""


@dataclass(frozen=True)
class BenchReport:
    """All that `tadsr bench` measured, and under which conditions; `threads` None is the engine's choice."""

    model: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str | None]
    threads: int | None
    repeats: int
    conditions: dict[str, str]
    upscale: list[PictureTiming]
    files: list[FileTiming]
    peers: list[NetworkTiming] | None
    overhead: list[OverheadTiming] | None
    engines: list[PictureTiming]


def run_bench(
    bundle: Path | None, *, version: str, threads: int | None, repeats: int, peers: bool, overhead: bool
) -> BenchReport:
    """Time pictures of `SIDES` in fresh processes; if `peers`, the network beside reference networks, and if
    `overhead`, the runtime beside the bare engine. Raises `TadsrError`.
    """
    with runtime.load(bundle, threads=threads) as upscaler:
        model, opened = _describe(upscaler), upscaler.bundle
    machine = describe_machine()
    pictures, files, added = [], [], []
    with Console(stderr=True).status("") as status:
        for side in SIDES:
            status.update(f"pictures of {side}x{side}")
            pictures.append(time_picture(opened.path, side, threads, repeats))
        status.update("each engine and precision")
        engines = time_engines(opened, ENGINES_SIDE, threads=threads, repeats=repeats)
        for side in SIDES if len(usable_files(opened)) > 1 else ():
            status.update(f"the bundle's files side by side, {side}x{side}")
            files += time_files(opened, side, threads=threads, repeats=repeats)
        status.update("the network beside reference networks")
        networks = time_side_by_side(opened, threads=threads, repeats=repeats) if peers else None
        for side in OVERHEAD_SIDES if overhead else ():
            status.update(f"the runtime beside the bare engine, {side}x{side}")
            added += time_overhead(opened, side, threads=threads, repeats=repeats)
    return BenchReport(
        model=model,
        machine=machine,
        versions={"tadsr": version, **describe_versions("onnxruntime", "numpy", "pillow")},
        threads=threads,
        repeats=repeats,
        conditions=CONDITIONS,
        upscale=pictures,
        files=files,
        peers=networks,
        overhead=added if overhead else None,
        engines=engines,
    )


def show_bench(report: BenchReport, *, as_json: bool) -> None:
    """Write the report to stdout, as JSON or as tables."""
    measured = asdict(report)
    if as_json:
        say(json.dumps(measured, indent=2))
        return
    console = Console()
    machine = f"{_threads(report)}, {report.machine['cpus']} CPUs, load {report.machine['load']}"
    engine = _ENGINE.format(**report.model)
    console.print(f"{report.model['name']} ({engine}) on {machine}", markup=False, highlight=False)
    for field, (title, columns) in TABLES.items():
        if measured[field]:
            console.print(rich_table(title, columns, measured[field]))


def draw_bench(report: BenchReport) -> str:
    """The warm times of every engine and precision as a chart, in SVG."""
    bars = {f"{row.backend}/{row.precision}": row.warm_median_ms for row in report.engines}
    title = f"{report.model['name']}: a warm picture of {ENGINES_SIDE}×{ENGINES_SIDE}, median of {report.repeats}"
    return bar_chart(title, f"{_threads(report)}; shorter is better", bars, "ms")


def _threads(report: BenchReport) -> str:
    return f"{report.machine['cpu']}, {report.threads or 'the engine chooses its'} threads"


def _describe(upscaler: Upscaler) -> dict[str, Any]:
    return {
        "name": upscaler.manifest.name,
        "file": upscaler.artifact.file,
        "backend": upscaler.backend,
        "precision": upscaler.artifact.precision,
        "sha256": upscaler.artifact.sha256,
        "size": upscaler.artifact.size,
    }
