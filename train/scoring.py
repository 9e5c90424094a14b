"""Scores of pictures: the figures `python -m train.evaluate` shows, without any model, file or printing."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime import metrics
from runtime.metrics import MetricError

Picture = NDArray[np.uint8]
Scores = dict[str, float]
"""One value per key of `COLUMNS`; NaN where a measure is not defined, or needs an HR picture and there is none."""


def hf_ratio(sr: Picture, hr: Picture) -> float:
    """High-frequency energy of SR over that of HR: 1 is as sharp, below softer; NaN for an HR picture without any."""
    reference = metrics.high_frequency_energy(hr)
    return metrics.high_frequency_energy(sr) / reference if reference else math.nan


def cast(sr: Picture, bicubic: Picture) -> float:
    """Colour cast: the mean difference SR minus bicubic in 1/255, absolute, of the channel where it is largest.

    Raises `MetricError` where the sizes differ.
    """
    if sr.shape != bicubic.shape:
        raise MetricError(f"the result has shape {sr.shape}, not {bicubic.shape}; is this the picture's LR side?")
    return float(np.abs(sr.mean(axis=(0, 1)) - bicubic.mean(axis=(0, 1))).max())


FULL_REFERENCE: dict[str, Callable[[Picture, Picture], float]] = {
    "psnr_y": metrics.psnr_y,
    "ssim_y": metrics.ssim_y,
    "psnr_rgb": metrics.psnr_rgb,
    "ssim_rgb": metrics.ssim_rgb,
    "delta_e": metrics.delta_e,
    "hf_ratio": hf_ratio,
}
FORMATS = {
    "psnr_y": "{:.2f}",
    "ssim_y": "{:.4f}",
    "psnr_rgb": "{:.2f}",
    "ssim_rgb": "{:.4f}",
    "delta_e": "{:.2f}",
    "hf_ratio": "{:.3f}",
    "naturalness": "{:.2f}",
    "cast": "{:.2f}",
}
COLUMNS = tuple(FORMATS)


def bicubic(lr: Picture, scale: int) -> Picture:
    """The (H, W, 3) picture `scale` times larger by Pillow's bicubic filter, the baseline of every table."""
    height, width = lr.shape[:2]
    size = (width * scale, height * scale)
    return np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.BICUBIC))


def score(sr: Picture, hr: Picture | None, bicubic: Picture) -> Scores:
    """Scores of one result beside its HR picture, if there is one, and the bicubic enlargement of its LR side.

    All are (H, W, 3) uint8 sRGB of one size. Raises `MetricError` where the sizes differ or are too small to compare.
    """
    compared = {name: math.nan if hr is None else measure(sr, hr) for name, measure in FULL_REFERENCE.items()}
    return compared | {"naturalness": metrics.naturalness(sr), "cast": cast(sr, bicubic)}


def score_all(pictures: Iterable[tuple[str, Picture, Picture | None, Picture]]) -> dict[str, Scores]:
    """Scores of every (name, sr, hr, lr); the scale is the ratio of the sr and lr heights.

    Raises `MetricError`, with the picture's name, where one cannot be scored.
    """
    rows = {}
    for name, sr, hr, lr in pictures:
        try:
            rows[name] = score(sr, hr, bicubic(lr, sr.shape[0] // lr.shape[0]))
        except MetricError as error:
            raise MetricError(f"{name}: {error}") from error
    return rows


def mean(rows: Iterable[Scores]) -> Scores:
    """The mean of each column over the rows where it is defined; NaN where it is in none."""
    rows = list(rows)
    defined = {column: [row[column] for row in rows if not math.isnan(row[column])] for column in COLUMNS}
    return {column: sum(values) / len(values) if values else math.nan for column, values in defined.items()}


def table(rows: Mapping[str, Scores]) -> str:
    """The rows as an aligned text table under a header line; a dash where a measure is not defined."""
    cells = [["", *COLUMNS]]
    for name, row in rows.items():
        cells.append([name, *("–" if math.isnan(row[c]) else FORMATS[c].format(row[c]) for c in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    )


def as_json(rows: Mapping[str, Scores]) -> dict[str, Any]:
    """`{"mean": {...}, "pictures": {name: {...}}}` of what strict JSON can hold: NaN and infinity become None."""

    def plain(row: Scores) -> dict[str, float | None]:
        return {column: value if math.isfinite(value) else None for column, value in row.items()}

    return {"mean": plain(mean(rows.values())), "pictures": {name: plain(row) for name, row in rows.items()}}
