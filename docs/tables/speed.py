"""Speed of the shipped model: what `tadsr bench --json` and `apps.benchmarks.browser_speed` measured."""

from collections.abc import Sequence
from typing import Any

from docs.tables.markdown import ENGINES, PRECISIONS, Columns, command_of, engine_of, table, table_of, threads_of

NETWORKS_SIDE = 128
"""Of the input of the rows ``peers``."""


def fastest_int8(report: dict[str, Any]) -> dict[str, Any]:
    """The row of the bundle's INT8 file in the engine that is fastest on the reference networks' input."""
    rows = [row for row in report["files"] if (row["precision"], row["side"]) == ("int8", NETWORKS_SIDE)]
    return min(rows, key=lambda row: float(row["median_ms"]))


def networks(report: dict[str, Any]) -> str:
    """The network beside the reference networks, in float, and how many times longer than ours these take."""
    best = fastest_int8(report)
    columns: Columns = {
        "128×128 to 512×512": "{network}",
        "parameters": lambda row: f"{row['parameters'] / 1e6:.2f} M",
        "GMACs": "{gmacs:.1f}",
        "fp32 in ONNX Runtime": "{median_ms:.0f} ms",
        "times ours, fp32": "{ratio_to_ours:.1f}×",
        f"times that of our INT8 in {ENGINES[best['backend']]}, {best['median_ms']:.0f} ms": lambda row: (
            f"{row['median_ms'] / best['median_ms']:.1f}×"
        ),
    }
    return table_of(columns, report["peers"])


def files(report: dict[str, Any]) -> str:
    """A row per file of the bundle and engine: one call of the network."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in report["files"]:
        rows.setdefault(engine_of(row), []).append(row)
    lines = [
        [
            engine,
            *(f"{row['median_ms']:.0f} ms" for row in sides),
            " / ".join(f"{row['ratio_to_first']:.1f}×" for row in sides),
        ]
        for engine, sides in rows.items()
    ]
    titles = [f"{side}×{side}" for side in sorted({row["side"] for row in report["files"]})]
    return table(["the files of the bundle", *titles, "faster"], lines)


def pictures(rows: Sequence[dict[str, Any]]) -> str:
    """A row per whole picture and engine, each in a fresh process."""
    columns: Columns = {
        "whole pictures": lambda row: f"{row['side']}×{row['side']}, {engine_of(row)}",
        "cold start": "{cold_ms:.0f} ms",
        "warm": "{warm_median_ms:.0f} ms",
        "peak memory": "{peak_memory_mib:.0f} MiB",
    }
    return table_of(columns, rows)


def conditions(report: dict[str, Any]) -> str:
    """On what and by which command it was measured."""
    machine = report["machine"]
    where = f"{threads_of(report)} with {machine['cpus']} CPUs, load {machine['load']}"
    return f"""{where} before measuring, medians of {report["repeats"]}. The peers
have the shapes of Real-ESRGAN x4plus (RRDB) and realesr-general-x4v3 (SRVGG), and random weights. By
{command_of(report, "peers")}"""


def speed(report: dict[str, Any]) -> str:
    """All of it, for docs/results.md."""
    return f"""{networks(report)}

{files(report)}

{pictures(report["engines"] + report["upscale"])}

{conditions(report)} into [figures/speed.json](figures/speed.json)."""


def overhead(report: dict[str, Any]) -> str:
    """A row per file and picture of `tadsr bench --overhead --json`."""
    columns: Columns = {
        "": lambda row: f"{row['backend']}, {PRECISIONS[row['precision']]}",
        "picture": "{side}×{side}",
        "tiles": "{tiles}",
        "bare engine": "{bare_median_ms:.0f} ms",
        "runtime": "{runtime_median_ms:.0f} ms",
        "added": "{overhead:+.1%}",
        "two tiles at once": "{two_at_once:+.1%}",
    }
    return f"""{table_of(columns, report["overhead"])}

{threads_of(report)}, {report["repeats"]} rounds, load {report["machine"]["load"]} before measuring. By
{command_of(report, "overhead")} into
[figures/overhead.json](figures/overhead.json)."""


def browser_speed(figures: dict[str, Any]) -> str:
    """A row per tile size, precision and number of threads: the browser beside native ONNX Runtime."""
    times = {(row["side"], row["precision"], row["threads"], row["where"]): row["ms"] for row in figures["rows"]}
    columns: Columns = {
        "tile": "{side}×{side}",
        "precision": "{precision}",
        "threads": "{threads}",
        "browser": lambda row: f"{1000 / row['browser']:.2f} tiles/s",
        "native": lambda row: f"{1000 / row['native']:.2f} tiles/s",
        "browser takes": lambda row: f"{row['browser'] / row['native']:.1f}× as long",
    }
    rows = [
        {"side": side, "precision": precision, "threads": threads}
        | {where: times[side, precision, threads, where] for where in ("browser", "native")}
        for side, precision, threads in sorted({key[:3] for key in times})
    ]
    machine, versions = figures["machine"], figures["versions"]
    return f"""{table_of(columns, rows)}

The fastest of {figures["runs"]} runs in each of {figures["rounds"]} rounds, browser and native in turns, on
{machine["cpu"].strip()} with {machine["cpus"]} CPUs. Load before measuring: {machine["load"]}.
ONNX Runtime Web {versions["onnxruntime-web"]} (WASM SIMD) in headless Chromium {versions["chromium"]};
ONNX Runtime {versions["onnxruntime"]} in Python. By `python -m apps.benchmarks.browser_speed` into
[figures/browser_speed.json](figures/browser_speed.json)."""
