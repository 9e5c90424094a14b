"""How far pictures are from what another stage made of the same small ones, and where it is worst."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from compress.reporting.rows import Tile
from train.evaluation import metrics

Picture = NDArray[np.uint8]

TILE = 64
"""Side in pixels of the tiles of a large picture."""


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
    corners = [(top, left) for top in _starts(a.shape[0], side) for left in _starts(a.shape[1], side)]

    def psnr(corner: tuple[int, int]) -> float:
        part = slice(corner[0], corner[0] + height), slice(corner[1], corner[1] + width)
        return metrics.psnr(a[part].astype(np.float64), b[part].astype(np.float64))

    found = [psnr(corner) for corner in corners]
    i = int(np.argmin(found))
    top, left = corners[i]
    return Tile(name, left, top, width, height, found[i])


def _starts(length: int, side: int) -> Sequence[int]:
    last = max(length - side, 0)
    return sorted({*range(0, last, side), last})
