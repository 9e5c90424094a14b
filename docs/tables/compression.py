"""Tables of docs/compression.md: what each stage of compression costs and brings."""

from collections.abc import Sequence
from typing import Any

from docs.tables.markdown import Columns, table, table_of

STAGES = {
    "full-decoder": "finetuned as deployed",
    "pruned": "`compress.prune`: the same, decoder pruned",
    "unfolded": "the same, full encoder",
    "folded": "`compress.fold`: one graph, LR encoder",
    "ptq": "`compress.quantize --ptq`: INT8, calibrated",
    "qat": "`compress.quantize`: INT8, finetuned",
    "onnx-int8": "`export.bundle`: the same in ONNX Runtime",
}
COLUMNS: Columns = {
    "stage": "{label}",
    "compared with": "{against}",
    "PSNR-Y": "{psnr_y:.2f} dB",
    "SSIM-Y": "{ssim_y:.4f}",
    "naturalness": "{naturalness:.2f}",
    "PSNR to previous": "{psnr_previous:.2f} dB",
    "worst picture": "{psnr_previous_worst:.2f} dB",
    "ΔE to previous": "{delta_e_previous:.3f}",
    "kMACs/pixel": "{kmacs:.0f}",
    "MB": "{megabytes:.2f}",
}
COSTS = {
    "psnr_previous": ("PSNR to previous", "≥ 42 dB", "{:.2f} dB"),
    "psnr_previous_worst": ("worst picture", "≥ 38 dB", "{:.2f} dB"),
    "psnr_y_change": ("change of PSNR-Y", "within 0.05 dB", "{:+.3f} dB"),
    "naturalness_change": ("change of naturalness", "within 2 %", "{:+.2%}"),
    "delta_e_previous": ("ΔE to previous", "< 0.5", "{:.3f}"),
    "size_ratio": ("size ratio", "≤ 0.28", "{:.3f}"),
}
"""By figure its title, the target and the form."""
ENGINES = {"onnx": "ONNX Runtime", "pte": "ExecuTorch (XNNPACK)"}


def compression(report: dict[str, Any]) -> str:
    """A row per stage of the report of `compress.report --json`."""
    rows = {row["stage"]: row for row in report["rows"]}
    return table_of(COLUMNS, [{"label": label} | _stage(rows[stage]) for stage, label in STAGES.items()])


def _stage(row: dict[str, Any]) -> dict[str, Any]:
    """A row's figures with None for what is not known; sizes in the units of the table."""
    unknown = dict.fromkeys(("psnr_previous", "psnr_previous_worst", "delta_e_previous", "kmacs", "megabytes"))
    figures = unknown | row["figures"] | {"against": row["against"]}
    for name, source, unit in (("kmacs", "macs_per_pixel", 1e3), ("megabytes", "size", 1e6)):
        if source in figures:
            figures[name] = figures[source] / unit
    return figures


def int8(report: dict[str, Any], advice: Sequence[dict[str, Any]]) -> str:
    """What INT8 costs beside the float program, after calibration and after finetuning, and what it gains."""
    stages = {row["stage"]: row["figures"] for row in report["rows"]}
    costs = [
        [title, target, *(form.format(stages[stage][name]) for stage in ("ptq", "qat"))]
        for name, (title, target, form) in COSTS.items()
    ]
    gains: Columns = {
        "engine": lambda row: ENGINES[row["file"].rpartition(".")[2]],
        "LR pixels": "{side}×{side}",
        "fp32": "{against_median_ms:.1f} ms",
        "INT8": "{median_ms:.1f} ms",
        "faster": "{speedup:.2f}×",
        "target": "≥ 2×",
    }
    quantised = [row for row in advice if "int8" in row["file"]]
    return f"""{table(["beside the float program", "target", "calibrated", "finetuned"], costs)}

{table_of(gains, quantised)}"""
