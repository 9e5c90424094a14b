"""Scores of pictures: what `python -m train.evaluate` shows, without any model or file."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.evaluation import metrics
from train.evaluation.metrics import MetricError

Picture = NDArray[np.uint8]
Result = tuple[str, Picture, Picture | None, Picture]
"""Name, sr [H, W, 3], hr of that size if there is one, and lr."""
Scores = dict[str, float]
"""One value per key of `COLUMNS`, and of what else was measured; NaN where a measure is not defined, or needs an HR
picture and there is none."""
PlainScores = dict[str, float | None]
"""Scores as strict JSON can hold them: None where one is not defined or infinite."""
Measure = Callable[[Picture, Picture | None], float]
"""(sr, hr if there is one) -> one value more."""


class ScoresFile(TypedDict):
    """Scores as JSON."""

    mean: PlainScores
    pictures: dict[str, PlainScores]


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
OTHER_FORMAT = "{:.4g}"


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


def score_all(pictures: Iterable[Result], others: Mapping[str, Measure] = MappingProxyType({})) -> dict[str, Scores]:
    """Scores of every (name, sr, hr, lr), and `others` by their names; the scale is the ratio of sr and lr heights.

    Raises `MetricError`, with the picture's name, where one cannot be scored.
    """
    rows = {}
    for name, sr, hr, lr in pictures:
        try:
            rows[name] = score(sr, hr, bicubic(lr, sr.shape[0] // lr.shape[0]))
            rows[name] |= {other: measure(sr, hr) for other, measure in others.items()}
        except MetricError as error:
            raise MetricError(f"{name}: {error}") from error
    return rows


def mean(rows: Iterable[Scores]) -> Scores:
    """The mean of each column over the rows where it is defined; NaN where it is in none."""
    rows = list(rows)
    columns = rows[0] if rows else COLUMNS
    defined = {column: [row[column] for row in rows if not math.isnan(row[column])] for column in columns}
    return {column: sum(values) / len(values) if values else math.nan for column, values in defined.items()}


def table(rows: Mapping[str, Scores]) -> str:
    """The rows as an aligned text table under a header line; a dash where a measure is not defined."""
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    cells = [["", *columns]]
    for name, row in rows.items():
        values = ((FORMATS.get(column, OTHER_FORMAT), row.get(column, math.nan)) for column in columns)
        cells.append([name, *("–" if math.isnan(value) else form.format(value) for form, value in values)])
    return aligned(cells)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Text of lines of cells, as many in each: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def as_json(rows: Mapping[str, Scores], of_set: Mapping[str, float] = MappingProxyType({})) -> ScoresFile:
    """`{"mean": {...}, "pictures": {name: {...}}}` of what strict JSON can hold: NaN and infinity become None.

    `of_set` are figures of all pictures together, which stand beside the means.
    """

    def plain(row: Mapping[str, float]) -> PlainScores:
        return {column: value if math.isfinite(value) else None for column, value in row.items()}

    return {
        "mean": plain({**mean(rows.values()), **of_set}),
        "pictures": {name: plain(row) for name, row in rows.items()},
    }
