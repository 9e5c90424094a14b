"""The metrics of a stage: how far its pictures are from HR, from its baseline's and the teacher's, and where most."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from compress.reporting.results import Tile, Worst
from train.evaluation import metrics, scoring
from train.evaluation.metrics import MetricError
from train.evaluation.scoring import Picture, Result, Scores

TO_HR = ("psnr_y", "ssim_y", "naturalness", "delta_e", "hf_ratio", "cast")
"""The scores that a report keeps."""
TILE = 64
"""Side in pixels of the tiles of a large picture."""


class Comparison(NamedTuple):
    """One picture beside what others made of the same small one."""

    picture: str
    scores: Scores
    psnr: float
    """RGB PSNR to the baseline's picture, or to HR where there is no baseline."""
    tile: Tile
    """Where it is least."""
    delta_e: float | None
    """CIEDE2000 to the baseline's picture."""
    psnr_teacher: float | None
    """RGB PSNR to the teacher's picture."""


def compare(result: Result, baseline: Picture | None, teacher: Picture | None) -> Comparison:
    """Compare a result that has HR. Raises ``MetricError``, with the picture's name, where sizes differ."""
    name, sr, hr, _ = result
    other = hr if baseline is None else baseline
    assert other is not None
    scores = scoring.score_all([result])[name]
    try:
        return Comparison(
            name,
            scores,
            metrics.psnr_rgb(sr, other),
            worst_tile(name, sr, other),
            None if baseline is None else metrics.delta_e(sr, baseline),
            None if teacher is None else metrics.psnr_rgb(sr, teacher),
        )
    except MetricError as error:
        raise MetricError(f"{name}: {error}") from error


def summarise(
    comparisons: Sequence[Comparison], sizes: Mapping[str, float], baseline: Mapping[str, float] | None
) -> dict[str, float]:
    """The metrics of all pictures together, by the names of ``compress.reporting.results.METRICS``.

    ``sizes`` are those of the model, ``baseline`` the metrics of what it is compared with.
    """
    mean = scoring.mean(one.scores for one in comparisons)
    summary = {name: mean[name] for name in TO_HR if not math.isnan(mean[name])} | dict(sizes)
    to_teacher = [one.psnr_teacher for one in comparisons if one.psnr_teacher is not None]
    if to_teacher:
        summary |= {"psnr_teacher": mean_psnr(to_teacher), "psnr_teacher_worst": min(to_teacher)}
    if baseline is None:
        return summary
    psnr = [one.psnr for one in comparisons]
    delta_e = [one.delta_e for one in comparisons if one.delta_e is not None]
    summary |= {"psnr_previous": mean_psnr(psnr), "psnr_previous_worst": min(psnr)}
    summary["delta_e_previous"] = sum(delta_e) / len(delta_e)
    return summary | _changes(summary, baseline)


def _changes(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    changes = {
        "psnr_y_change": ("psnr_y", lambda new, old: new - old),
        "naturalness_change": ("naturalness", lambda new, old: new / old - 1),
        "size_ratio": ("size", lambda new, old: new / old),
        "macs_ratio": ("macs_per_pixel", lambda new, old: new / old),
    }
    return {name: change(now[of], before[of]) for name, (of, change) in changes.items() if of in now and before.get(of)}


def worst(comparisons: Sequence[Comparison]) -> Worst:
    """The picture and, of all pictures, the tile with the least PSNR to the baseline."""
    picture = min(comparisons, key=lambda one: one.psnr)
    return Worst(picture.picture, picture.psnr, min((one.tile for one in comparisons), key=lambda tile: tile.psnr))


def mean_psnr(values: Iterable[float]) -> float:
    """The mean in dB of the pictures that differ at all; infinite where none does.

    Equal pictures, whose PSNR is infinite, would hide the others.
    """
    values = list(values)
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else max(values, default=math.inf)


def worst_tile(name: str, a: Picture, b: Picture, side: int = TILE) -> Tile:
    """The tile of least RGB PSNR between two pictures [H, W, 3]; the first of several.

    Tiles lie edge to edge from the top left corner; the last of a row or column is moved back inside, so that all are
    ``side`` x ``side`` where the picture is not smaller.
    """
    height, width = (min(side, length) for length in a.shape[:2])
    tiles = [
        Tile(
            name, left, top, width, height, metrics.psnr(*(p[top : top + height, left : left + width] for p in (a, b)))
        )
        for top in _starts(a.shape[0], side)
        for left in _starts(a.shape[1], side)
    ]
    return min(tiles, key=lambda tile: tile.psnr)


def _starts(length: int, side: int) -> Sequence[int]:
    last = max(length - side, 0)
    return sorted({*range(0, last, side), last})
