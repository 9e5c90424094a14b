"""`tadsr bench`: how long the model takes on this device, and how much memory."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import runtime
from apps.benchmarks.overhead import OverheadTiming, time_overhead
from apps.benchmarks.peers import NetworkTiming, time_side_by_side
from apps.benchmarks.plot import Bar, bar_chart
from apps.benchmarks.precisions import FileTiming, time_files, usable_files
from apps.benchmarks.starts import PictureTiming, time_engines, time_picture
from runtime.upscaler import Upscaler
from tadsr.measuring import describe_machine, describe_versions

SIDES = (128, 512)
ENGINES_SIDE = 256
OVERHEAD_SIDES = (512, 1024)
CONDITIONS = {
    "input": "a square picture of uniform noise, 8-bit RGB array",
    "upscale": "array in, array out, each size in a fresh process of its own",
    "cold": "import, load and first picture; starting Python itself is not counted, files may be in the disk cache",
    "warm": "the same picture again",
    "peak_memory": "the most resident memory of that process, Python included",
    "engines": "as upscale, the same picture by every engine and precision; tiles per second of the median warm run, "
    "in tiles of the file's own size",
    "files": "one call of the network on the same float32 input for every file of the bundle that runs here, one "
    "process, in rounds that run each file twice and count the second; no reading, tiling or saving",
    "overhead": "a picture of noise by the bare engine, tile after tile, by the runtime, array in and array out, and "
    "by the bare engine with two tiles at once, in one process, in rounds of each; the first round is not counted",
    "peers": "one InferenceSession.run on the same 1x3x128x128 float32 input for every network: ONNX Runtime, CPU, "
    "fp32, one process, in rounds that run each network twice and count the second; no reading, tiling or saving; the "
    "peers' weights are random",
}


@dataclass(frozen=True)
class BenchReport:
    """All that `tadsr bench` found out, and under which conditions; `threads` None is the engine's choice."""

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
    """Time pictures of `SIDES` in fresh processes; if `peers`, the network beside others, and if `overhead`, the
    runtime beside the bare engine. Raises `TadsrError`.
    """
    console = Console(stderr=True)
    with runtime.load(bundle, threads=threads) as upscaler:
        model = _describe(upscaler)
    machine = describe_machine()
    pictures = []
    for side in SIDES:
        with console.status(f"pictures of {side}x{side}"):
            pictures.append(time_picture(upscaler.bundle.path, side, threads=threads, repeats=repeats))
    with console.status("each engine and precision"):
        engines = time_engines(upscaler.bundle, ENGINES_SIDE, threads=threads, repeats=repeats)
    files = []
    if len(usable_files(upscaler.bundle)) > 1:
        for side in SIDES:
            with console.status(f"the bundle's files side by side, {side}x{side}"):
                files += time_files(upscaler.bundle, side, threads=threads, repeats=repeats)
    networks = None
    if peers:
        with console.status("the network beside its peers"):
            networks = time_side_by_side(upscaler.bundle, threads=threads, repeats=repeats)
    added = None
    if overhead:
        added = []
        for side in OVERHEAD_SIDES:
            with console.status(f"the runtime beside the bare engine, {side}x{side}"):
                added += time_overhead(upscaler.bundle, side, threads=threads, repeats=repeats)
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
        overhead=added,
        engines=engines,
    )


def show_bench(report: BenchReport, *, as_json: bool) -> None:
    """Write the report to stdout, as JSON or as tables."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
        return
    console = Console()
    threads = report.threads or "the engine's choice of"
    console.print(
        f"{report.model['name']} ({report.model['backend']}/{report.model['precision']}) on {report.machine['cpu']}, "
        f"{threads} threads, {report.machine['cpus']} CPUs, load {report.machine['load']}",
        markup=False,
        highlight=False,
    )
    console.print(_pictures(report.upscale, "Whole pictures"))
    console.print(_pictures(report.engines, "The same picture by each engine"))
    if report.files:
        files = Table("file", "picture", "median ms", "fastest ms", "faster", title="The files side by side")
        for file in report.files:
            times = [f"{value:.1f}" for value in (file.median_ms, file.min_ms)]
            name = f"{file.backend}/{file.precision}"
            files.add_row(name, f"{file.side}x{file.side}", *times, f"{file.ratio_to_first:.2f}x")
        console.print(files)
    if report.peers is not None:
        title = "The network itself, 128x128 to 512x512, fp32"
        networks = Table("network", "parameters", "GMACs", "median ms", "fastest ms", "ratio", title=title)
        for peer in report.peers:
            sizes = [f"{peer.parameters / 1e6:.2f} M", f"{peer.gmacs:.2f}"]
            networks.add_row(
                peer.network, *sizes, f"{peer.median_ms:.1f}", f"{peer.min_ms:.1f}", f"{peer.ratio_to_ours:.2f}"
            )
        console.print(networks)
    if report.overhead is not None:
        added = Table("file", "picture", "tiles", "bare ms", "runtime ms", "added", "two at once", title="The runtime")
        for each in report.overhead:
            times = [f"{value:.1f}" for value in (each.bare_median_ms, each.runtime_median_ms)]
            gain = "–" if each.two_at_once is None else f"{each.two_at_once:+.1%}"
            size = f"{each.side}x{each.side}"
            name = f"{each.backend}/{each.precision}"
            added.add_row(name, size, str(each.tiles), *times, f"{each.overhead:+.1%}", gain)
        console.print(added)


def draw_bench(report: BenchReport) -> str:
    """The warm times of every engine and precision as a chart, in SVG."""
    bars = [Bar(f"{row.backend}/{row.precision}", row.warm_median_ms) for row in report.engines]
    title = f"{report.model['name']}: a warm picture of {ENGINES_SIDE}×{ENGINES_SIDE}, median of {report.repeats}"
    threads = report.threads or "the engine's choice of"
    return bar_chart(title, f"{report.machine['cpu']}, {threads} threads; shorter is better", bars, "ms")


def _pictures(rows: Sequence[PictureTiming], title: str) -> Table:
    numbers = ("cold start ms", "warm ms", "fastest ms", "tiles/s", "peak MiB")
    table = Table("picture", "engine", title=title)
    for name in numbers:
        table.add_column(name, justify="right")
    for row in rows:
        times = [f"{value:.0f}" for value in (row.cold_ms, row.warm_median_ms, row.warm_min_ms)]
        memory = "unknown" if row.peak_memory_mib is None else f"{row.peak_memory_mib:.0f}"
        name = f"{row.backend}/{row.precision}"
        table.add_row(f"{row.side}x{row.side}", name, *times, f"{row.tiles_per_second:.1f}", memory)
    return table


def _describe(upscaler: Upscaler) -> dict[str, Any]:
    return {
        "name": upscaler.manifest.name,
        "file": upscaler.artifact.file,
        "backend": upscaler.backend,
        "precision": upscaler.artifact.precision,
        "sha256": upscaler.artifact.sha256,
        "size": upscaler.artifact.size,
    }
