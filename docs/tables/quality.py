"""Quality on the validation pairs: every stage's figures in one table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from docs.tables.markdown import Columns, table_of

Figures = dict[str, Any]
"""What is known of one row, by the names that ``compress.report --json`` and ``train.evaluate --json`` use."""

BUNDLE, AUTOENCODER = "runtime/models/mobile.tadsr", "train/weights/mobile/autoencoder.safetensors"
FLOAT, INT8 = f"{BUNDLE}, fp32", f"{BUNDLE}, int8"
PEER = "runs/val/peer"
LR_PIXELS = 128**2
"""Of a validation picture: what GMACs are of."""


class Row(NamedTuple):
    """One row: where its figures stand, and how it is called."""

    key: str
    """A model of quality.json, or a stage of compression.json."""
    label: str
    short: str = ""
    """The same on a chart, where it is another."""
    sizes: str | None = None
    """The stage whose parameters and multiply-accumulates it has, where it knows none itself."""


ROWS = (
    Row("bicubic", "bicubic"),
    Row(PEER, "Real-ESRGAN general-x4v3, for orientation", "Real-ESRGAN general-x4v3"),
    Row("teacher", "teacher, 15 steps"),
    Row("student", "student, 1 step"),
    Row("pixels", "finetuned as deployed, by pixels", "finetuned by pixels"),
    Row("full-decoder", "finetuned with discriminators", "with discriminators"),
    Row(FLOAT, "the bundle in fp32: finetuned, pruned, folded", "pruned, fp32", sizes="folded"),
    Row(INT8, "**the bundle in INT8, as shipped**", "INT8, as shipped", sizes="qat"),
    Row(AUTOENCODER, "autoencoder on the originals"),
    Row("HR", "the originals"),
)
IN_SHORT = ("bicubic", "teacher", "student", FLOAT, INT8, "HR")
"""The rows of README.md."""
OF_THE_ORIGINALS = (AUTOENCODER, "HR")
"""Rows that have seen what the others are to restore."""
COLUMNS: Columns = {
    "": "{label}",
    "PSNR-Y": "{psnr_y:.2f}",
    "SSIM-Y": "{ssim_y:.3f}",
    "naturalness": "{naturalness:.2f}",
    "ΔE": "{delta_e:.2f}",
    "fine detail": "{hf_ratio:.2f}",
    "colour cast": "{cast:.2f}",
    "parameters": lambda row: f"{row['parameters'] / 1e6:.2f} M" if "parameters" in row else "–",
    "GMACs": lambda row: f"{gmacs(row['macs_per_pixel']):,.1f}" if "macs_per_pixel" in row else "–",
}


def gathered(quality: dict[str, Any], report: dict[str, Any]) -> dict[str, Figures]:
    """Mean figures of every row of ``ROWS``, by its key, from quality.json and compression.json.

    A bundle's row has the sizes of the program that it was made of. A figure that is not known is None or not there.
    """
    stages = {row["stage"]: row["figures"] for row in report["rows"]}
    known = {model: rows["mean"] for model, rows in quality.items()} | stages
    return {row.key: _sizes(stages.get(row.sizes or "", {})) | known[row.key] for row in ROWS}


def _sizes(figures: Figures) -> Figures:
    return {name: figures[name] for name in ("parameters", "macs_per_pixel") if name in figures}


def gmacs(macs_per_pixel: float) -> float:
    """Billions of multiply-accumulates for a validation picture."""
    return macs_per_pixel * LR_PIXELS / 1e9


def quality(figures: dict[str, Any], report: dict[str, Any]) -> str:
    """A row per stage, a column per measure and size; means over the pictures."""
    return _table(gathered(figures, report), ROWS)


def in_short(figures: dict[str, Any], report: dict[str, Any]) -> str:
    """The rows of README.md."""
    return _table(gathered(figures, report), [row for row in ROWS if row.key in IN_SHORT])


def _table(known: dict[str, Figures], rows: Sequence[Row]) -> str:
    return table_of(COLUMNS, [{"label": row.label} | known[row.key] for row in rows])
