"""Tables of docs/compression.md and docs/folding.md."""

from collections.abc import Sequence
from typing import Any

from compress.reporting.results import METRICS

from .markdown import shown, table

STAGES = {
    "full-decoder": "finetuned as deployed",
    "pruned": "`compress.prune`: the same, decoder pruned",
    "unfolded": "the same, full encoder",
    "folded": "`compress.fold`: one graph, LR encoder",
    "ptq": "`compress.quantize --ptq`: INT8, calibrated",
    "qat": "`compress.quantize`: INT8, finetuned",
    "onnx-int8": "`export.bundle`: the same in ONNX Runtime",
}
STAGE_COLUMNS = ("psnr_y", "ssim_y", "naturalness", "psnr_previous", "psnr_previous_worst", "delta_e_previous")
SIZE_COLUMNS = {"macs_per_pixel": (1e3, "{:.0f}"), "size": (1e6, "{:.2f}")}
"""By figure its unit and form."""
INT8_TARGETS = {
    "psnr_previous": "≥ 42 dB",
    "psnr_previous_worst": "≥ 38 dB",
    "psnr_y_change": "within 0.05 dB",
    "naturalness_change": "within 2 %",
    "delta_e_previous": "< 0.5",
    "size_ratio": "≤ 0.28",
}
ENGINES = {"onnx": "ONNX Runtime", "pte": "ExecuTorch (XNNPACK)"}
NOISE_FORMS = {
    "psnr_y": "{:.3f}",
    "ssim_y": "{:.4f}",
    "naturalness": "{:.2f}",
    "hf_ratio": "{:.3f}",
    "delta_e": "{:.2f}",
}


def compression(report: dict[str, Any]) -> str:
    """A row per stage of the report of `compress.report --json`."""
    rows = {row["stage"]: row for row in report["rows"]}
    titles = ["stage", "compared with", *(METRICS[name].title for name in STAGE_COLUMNS), "kMACs/pixel", "MB"]
    lines = []
    for stage, label in STAGES.items():
        figures = rows[stage]["figures"]
        cells = [shown(METRICS[name].form, figures.get(name)) for name in STAGE_COLUMNS]
        for name, (unit, form) in SIZE_COLUMNS.items():
            cells.append(shown(form, figures[name] / unit if name in figures else None))
        lines.append([label, rows[stage]["against"] or "–", *cells])
    return table(titles, lines)


def int8(report: dict[str, Any], advice: Sequence[dict[str, Any]]) -> str:
    """What INT8 costs beside the float program, after calibration and after finetuning, and what it gains."""
    rows = {row["stage"]: row["figures"] for row in report["rows"]}
    costs = [
        [METRICS[name].title, target, *(METRICS[name].form.format(rows[stage][name]) for stage in ("ptq", "qat"))]
        for name, target in INT8_TARGETS.items()
    ]
    gains = [
        [
            ENGINES[row["file"].rpartition(".")[2]],
            f"{row['side']}×{row['side']}",
            f"{row['against_median_ms']:.1f} ms",
            f"{row['median_ms']:.1f} ms",
            f"{row['speedup']:.2f}×",
            "≥ 2×",
        ]
        for row in advice
        if "int8" in row["file"]
    ]
    return "\n\n".join(
        [
            table(["beside the float program", "target", "calibrated", "finetuned"], costs),
            table(["engine", "LR pixels", "fp32", "INT8", "faster", "target"], gains),
        ]
    )


def pruning(figures: dict[str, Any]) -> str:
    """A row per point of the curve, the full decoder first."""
    points = figures["points"]
    titles = ["`--macs`", "kMACs per LR pixel", "parameters", "PSNR-Y", "change", "SSIM-Y", "naturalness"]
    lines = []
    for row in points:
        scores, against = row["scores"], row["psnr_to_full"]
        lines.append(
            [
                f"{row['macs']:g}",
                f"{row['macs_per_latent_position'] / 1e3:.1f}",
                f"{row['parameters'] / 1e3:.1f} k",
                f"{scores['psnr_y']:.3f}",
                f"{scores['psnr_y'] - points[0]['scores']['psnr_y']:+.3f} dB" if against else "–",
                f"{scores['ssim_y']:.4f}",
                f"{scores['naturalness']:.2f}",
                f"{against['mean']:.1f} / {against['worst']:.1f} dB" if against else "–",
            ]
        )
    return table([*titles, "PSNR to the full decoder, mean / worst"], lines)


def noise(figures: dict[str, Any]) -> str:
    """A row per arm, and the difference on the same picture."""
    names = {"zero": "none (ε = 0)", "field": f"a fixed field of period {figures['period']}"}
    lines = [
        [names[arm], *(form.format(measured["mean"][column]) for column, form in NOISE_FORMS.items())]
        for arm, measured in figures["arms"].items()
    ]
    spread = [
        " ± ".join(form.format(figures["difference"][column][key]) for key in ("mean", "standard_error"))
        for column, form in NOISE_FORMS.items()
    ]
    titles = ["noise of z_T", "PSNR-Y", "SSIM-Y", "naturalness", "fine detail", "ΔE"]
    return table(titles, [*lines, ["difference ± standard error", *spread]])
