"""Cut a picture into tiles, run each, paste what no tile edge has touched. Pure functions; lengths in LR pixels.

The network zero-pads at the border of what it is given. At the picture's own border that is what a run over the whole
picture does too, so a tile keeps everything up to it. At an inner edge the zeros spoil `radius` pixels: these are
dropped. Tile origins lie on multiples of `align`, so strided layers see the same grid in every tile. Hence, with the
true receptive radius, tiles equal the whole picture; there is nothing to blend.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .errors import TileError

Floats = npt.NDArray[np.float32]

WHOLE_PICTURE_AREA = 512 * 512
AUTO_TILE = 512


@dataclass(frozen=True)
class Span:
    """One tile along one axis: the network sees [start, stop), [keep_start, keep_stop) is pasted."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class Plan:
    """All tiles of a height x width picture: every row span crossed with every column span."""

    height: int
    width: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def tiles(self) -> list[tuple[Span, Span]]:
        """(row, column) of each tile, in reading order."""
        return [(row, column) for row in self.rows for column in self.columns]


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is >= `value`."""
    return -(-value // multiple) * multiple


def reflect_indices(length: int, start: int, stop: int) -> npt.NDArray[np.intp]:
    """Where positions [start, stop) of an axis lie once it is continued by repeated reflection about its end pixels.

    Equals `numpy.pad(mode="reflect")` for any length >= 1; a single pixel repeats itself.
    """
    period = max(2 * (length - 1), 1)
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)


def plan_tiles(
    height: int, width: int, *, align: int, radius: int, tile: int | None = None, fixed: int | None = None
) -> Plan:
    """Choose the tiles for a height x width picture.

    `tile` is the side of a tile, None chooses: the whole picture up to 512 x 512 pixels, then tiles of at most 512.
    `fixed` is the side of a network that takes no other size: a smaller picture is then padded up to it.
    Raises `TileError` where the tile size cannot work, naming sizes that do.

    >>> len(plan_tiles(600, 1000, align=4, radius=20, tile=256).tiles)
    15
    """
    if fixed is not None:
        if tile not in (None, fixed):
            raise TileError(f"tile={tile}: this model was built for tiles of {fixed}; use tile={fixed} or tile=None")
        tile = fixed
    if tile is not None and (tile < align or tile % align):
        near = round_up(max(tile, 1), align)
        raise TileError(f"tile={tile}: a tile is a multiple of {align} pixels; use for example tile={near}")
    lengths = [max(round_up(length, align), fixed or 0) for length in (height, width)]
    sides = [tile, tile] if tile is not None else _auto_tiles(lengths, radius, align)
    needed = round_up(2 * radius + align, align)
    if any(length > side and side < needed for length, side in zip(lengths, sides, strict=True)):
        remedy = "use seam='fast' or another model" if fixed else f"use tile=None or a multiple of {align} >= {needed}"
        raise TileError(f"tile={tile}: too small to tile with a seam of {radius} pixels on each side; {remedy}")
    rows, columns = (
        axis_spans(length, padded, min(side, padded), radius, align)
        for length, padded, side in zip((height, width), lengths, sides, strict=True)
    )
    return Plan(height, width, rows, columns)


def axis_spans(length: int, padded: int, tile: int, radius: int, align: int) -> tuple[Span, ...]:
    """Tiles along an axis of `length` pixels, continued to `padded`; `padded` and `tile` are multiples of `align`.

    Neighbours overlap by at least 2 `radius` and meet in the middle of the overlap; the kept parts tile [0, length).
    """
    stride = tile - round_up(2 * radius, align)
    starts = [*range(0, padded - tile, stride), padded - tile] if padded > tile else [0]
    cuts = [(left + right + tile) // 2 for left, right in pairwise(starts)]
    return tuple(
        Span(start, start + tile, low, high)
        for start, low, high in zip(starts, [0, *cuts], [*cuts, length], strict=True)
    )


def _auto_tiles(lengths: list[int], radius: int, align: int) -> list[int]:
    if lengths[0] * lengths[1] <= WHOLE_PICTURE_AREA:
        return lengths
    largest = round_up(max(AUTO_TILE, 4 * radius), align)
    margin = round_up(2 * radius, align)
    sides = []
    for length in lengths:
        # As many tiles as the largest size needs, then the smallest size for which that many still reach across:
        # a picture of 520 pixels becomes two tiles of 280, not two of 512.
        count = max(1, -(-(length - margin) // (largest - margin)))
        sides.append(round_up(-(-(length + (count - 1) * margin) // count), align))
    return sides


def cut_tile(pixels: Floats, row: Span, column: Span) -> Floats:
    """What the network sees of `pixels`, float32 [H, W, 3], reflected where the tile reaches beyond: [1, 3, h, w]."""
    y = reflect_indices(pixels.shape[0], row.start, row.stop)
    x = reflect_indices(pixels.shape[1], column.start, column.stop)
    return np.ascontiguousarray(pixels[y[:, None], x].transpose(2, 0, 1)[None])


def kept_part(result: Floats, row: Span, column: Span, scale: int) -> tuple[slice, slice, Floats]:
    """Where in the whole result to paste what of a tile's `result` [1, 3, scale*h, scale*w]: rows, columns, HWC."""
    inner = [slice((s.keep_start - s.start) * scale, (s.keep_stop - s.start) * scale) for s in (row, column)]
    rows, columns = (slice(s.keep_start * scale, s.keep_stop * scale) for s in (row, column))
    return rows, columns, result[0, :, inner[0], inner[1]].transpose(1, 2, 0)
