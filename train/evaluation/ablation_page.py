"""How an ablation is shown: a table of means and deviations over seeds, and a sheet of pictures."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
from PIL import Image

from train.evaluation.contact_sheet import Row, sheet
from train.evaluation.pairs import Pair, bicubic
from train.evaluation.predictors import Predict

COLUMNS = {
    "psnr_y": ("PSNR-Y", 2),
    "ssim_y": ("SSIM-Y", 3),
    "naturalness": ("naturalness", 2),
    "hf_ratio": ("fine detail", 3),
    "cast": ("colour shift", 2),
}
"""Columns of the table: title and decimals."""
LABELS = {
    "bicubic": "bicubic",
    "start": "start of all arms, 1 step",
    "teacher": "teacher, all steps",
    "HSD + time-aware GAN": "**HSD + time-aware GAN (TAD-SR)**",
    "HR": "the originals",
}
"""Rows that are not called as their arm."""
PART = 192
"""Side in pixels of what the sheet shows of each enlarged picture, its middle."""


def table(scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Markdown: a row per arm, mean ± standard deviation over its runs."""
    lines = ["| | " + " | ".join(title for title, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, runs in scores.items():
        cells = [_cell([run[column] for run in runs], decimals) for column, (_, decimals) in COLUMNS.items()]
        lines.append(f"| {LABELS.get(name, name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float | None], decimals: int) -> str:
    defined = [value for value in values if value is not None and math.isfinite(value)]
    if not defined:
        return "–"
    spread = f" ± {stdev(defined):.{decimals}f}" if len(defined) > 1 else ""
    return f"{mean(defined):.{decimals}f}{spread}"


def picture_sheet(pairs: Sequence[Pair], predictors: Mapping[str, Predict]) -> Image.Image:
    """A row per pair, a column each for bicubic, every predictor and HR; the middle of each picture at full size.

    Raises ``ValueError`` for a pair without HR.
    """
    rows = []
    for name, lr, hr in pairs:
        if hr is None:
            raise ValueError(f"{name}: has no original")
        restored = {title: predict(lr, None) for title, predict in predictors.items()}
        columns = {"bicubic": bicubic(lr, hr), **restored, "original": hr}
        rows.append(Row(name, {title: _middle(picture) for title, picture in columns.items()}))
    return sheet(rows)


def _middle(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    top, left = ((side - PART) // 2 if side > PART else 0 for side in picture.shape[:2])
    return picture[top : top + PART, left : left + PART]
