"""What `tadsr bench --peers --json` measured: networks beside the peers', the bundle's files, whole pictures."""

from collections.abc import Sequence
from typing import Any

from .conditions import command_of, threads_of
from .markdown import shown, table
from .names import ENGINES, PRECISIONS

PEERS_SIDE = 128
"""Of the input of the rows ``peers``."""


def fastest_int8(report: dict[str, Any]) -> dict[str, Any]:
    """The row of the bundle's INT8 file in the engine that is fastest on the peers' input."""
    rows = [row for row in report["files"] if (row["precision"], row["side"]) == ("int8", PEERS_SIDE)]
    return min(rows, key=lambda row: float(row["median_ms"]))


def networks(report: dict[str, Any]) -> str:
    """The network beside networks of the peers' shapes, in float, and how many times longer than ours these take."""
    best = fastest_int8(report)
    lines = [
        [
            row["network"],
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['gmacs']:.1f}",
            f"{row['median_ms']:.0f} ms",
            f"{row['ratio_to_ours']:.1f}×",
            f"{row['median_ms'] / best['median_ms']:.1f}×",
        ]
        for row in report["peers"]
    ]
    ours = f"of our INT8 in {ENGINES[best['backend']]}, {best['median_ms']:.0f} ms"
    titles = [
        "128×128 to 512×512",
        "parameters",
        "GMACs",
        "fp32 in ONNX Runtime",
        "times ours, fp32",
        f"times that {ours}",
    ]
    return table(titles, lines)


def files(report: dict[str, Any]) -> str:
    """A row per file of the bundle and engine: one call of the network."""
    sides = sorted({row["side"] for row in report["files"]})
    lines = []
    for backend, precision in dict.fromkeys((row["backend"], row["precision"]) for row in report["files"]):
        rows = [row for row in report["files"] if (row["backend"], row["precision"]) == (backend, precision)]
        times = [f"{row['median_ms']:.0f} ms" for row in rows]
        ratios = " / ".join(f"{row['ratio_to_first']:.1f}×" for row in rows)
        lines.append([f"{ENGINES[backend]}, {PRECISIONS[precision]}", *times, ratios])
    return table(["the files of the bundle", *(f"{side}×{side}" for side in sides), "faster"], lines)


def pictures(rows: Sequence[dict[str, Any]]) -> str:
    """A row per whole picture and engine, each in a fresh process."""
    lines = [
        [
            f"{row['side']}×{row['side']}, {ENGINES[row['backend']]}, {PRECISIONS[row['precision']]}",
            f"{row['cold_ms']:.0f} ms",
            f"{row['warm_median_ms']:.0f} ms",
            shown("{:.0f} MiB", row["peak_memory_mib"]),
        ]
        for row in rows
    ]
    return table(["whole pictures", "cold start", "warm", "peak memory"], lines)


def speed(report: dict[str, Any]) -> str:
    """All of it, for docs/results.md."""
    return f"""{networks(report)}

{files(report)}

{pictures(report["engines"] + report["upscale"])}

{conditions(report)} into [figures/speed.json](figures/speed.json)."""


def conditions(report: dict[str, Any]) -> str:
    """On what and by which command it was measured."""
    machine = report["machine"]
    where = f"{threads_of(report)} with {machine['cpus']} CPUs, load {machine['load']}"
    return f"""{where} before measuring, medians of {report["repeats"]}. The peers
have the shapes of Real-ESRGAN x4plus (RRDB) and realesr-general-x4v3 (SRVGG), and random weights. By
{command_of(report, "peers")}"""
