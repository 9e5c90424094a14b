"""Tables of docs/performance.md."""

from collections.abc import Sequence
from typing import Any

from .conditions import command_of, threads_of
from .markdown import shown, table
from .names import PRECISIONS


def training_speeds(reports: Sequence[dict[str, Any]]) -> str:
    """A part for each machine and preset."""
    return "\n\n".join(map(_training_speed, reports))


def _training_speed(report: dict[str, Any]) -> str:
    machine, rates = report["machine"], report["matrix_gflops_per_s"]
    where = machine["gpu"] or f"{machine['cpu']}, {report['threads']} of {machine['cpus']} CPUs"
    command = " ".join(f"--{name} {report[name]}" for name in ("preset", "batch", "precision", "threads"))
    step = max(row["images_per_s"] for row in report["rows"] if row["name"].startswith("distillation"))
    lines = [
        [
            row["name"],
            row["layout"],
            f"{row['images_per_s']:.1f}",
            f"{row['median_ms']:.0f} ms",
            f"{row['gflop']:,.1f}",
            f"{row['share']:.0%}",
            shown("{:.0f} MiB", row["peak_memory_mib"]),
        ]
        for row in report["rows"]
    ]
    return f"""### {report["preset"]}, {where}

{table(["", "layout", "images/s", "median", "GFLOP", "share", "peak memory"], lines)}

Crops of {report["crop"]}×{report["crop"]}, batch {report["batch"]}, {report["precision"]}. Share: of
{max(rates.values()):.0f} GFLOP/s, the {max(rates, key=lambda name: rates[name])} in the same rounds. One loading worker
makes {report["loading_images_per_s"]:.0f} images/s; the fastest step takes {step:.1f}. Load before measuring:
{machine["load"]}. PyTorch {report["versions"]["torch"]}.

By `python -m apps.benchmarks.training {command} --json`."""


def overhead(report: dict[str, Any]) -> str:
    """A row per file and picture of `tadsr bench --overhead --json`."""
    lines = [
        [
            f"{row['backend']}, {PRECISIONS[row['precision']]}",
            f"{row['side']}×{row['side']}",
            str(row["tiles"]),
            f"{row['bare_median_ms']:.0f} ms",
            f"{row['runtime_median_ms']:.0f} ms",
            f"{row['overhead']:+.1%}",
            shown("{:+.1%}", row["two_at_once"]),
        ]
        for row in report["overhead"]
    ]
    return f"""{table(["", "picture", "tiles", "bare engine", "runtime", "added", "two tiles at once"], lines)}

{threads_of(report)}, {report["repeats"]} rounds, load {report["machine"]["load"]} before measuring. By
{command_of(report, "overhead")} into
[figures/overhead.json](figures/overhead.json)."""


def browser_speed(figures: dict[str, Any]) -> str:
    """A row per tile size, precision and number of threads: the browser beside native ONNX Runtime."""
    times = {(row["side"], row["precision"], row["threads"], row["where"]): row["ms"] for row in figures["rows"]}
    lines = []
    for side, precision, threads in sorted({key[:3] for key in times}):
        browser, native = (times[side, precision, threads, where] for where in ("browser", "native"))
        rates = [f"{1000 / time:.2f} tiles/s" for time in (browser, native)]
        lines.append([f"{side}×{side}", precision, str(threads), *rates, f"{browser / native:.1f}× as long"])
    machine, versions = figures["machine"], figures["versions"]
    return f"""{table(["tile", "precision", "threads", "browser", "native", "browser takes"], lines)}

The fastest of {figures["runs"]} runs in each of {figures["rounds"]} rounds, browser and native in turns, on
{machine["cpu"].strip()} with {machine["cpus"]} CPUs. Load before measuring: {machine["load"]}.
ONNX Runtime Web {versions["onnxruntime-web"]} (WASM SIMD) in headless Chromium {versions["chromium"]};
ONNX Runtime {versions["onnxruntime"]} in Python. By `python docs/figures/browser_speed.py` into
[figures/browser_speed.json](figures/browser_speed.json)."""
