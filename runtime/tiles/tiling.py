"""Cut a picture into tiles, run each, paste what no tile edge has touched. Pure functions; lengths in LR pixels.

The network zero-pads at the border of what it is given. At the picture's own border that is what a run over the whole
picture does too, so a tile keeps everything up to it. At an inner edge the zeros spoil some pixels: this halo is
dropped. Tile origins lie on multiples of `align`, so strided layers see the same grid in every tile. Hence, with a halo
of the receptive radius, tiles equal the whole picture; there is nothing to blend.

A texture that wraps around has no border: tiles reach a halo beyond it on every side and see the opposite side there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..errors import TileError

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

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
    """All tiles of a height x width picture: every row span crossed with every column span; all have one shape."""

    height: int
    width: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    wrap: bool = False

    @property
    def tiles(self) -> list[tuple[Span, Span]]:
        """(row, column) of each tile, in reading order."""
        return [(row, column) for row in self.rows for column in self.columns]

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        row, column = self.rows[0], self.columns[0]
        return row.stop - row.start, column.stop - column.start

    def row_indices(self, row: Span) -> Indices:
        """Which rows of the picture a tile sees, in order."""
        return _indices(self.height, row, self.wrap)

    def column_indices(self, column: Span) -> Indices:
        """Which columns of the picture a tile sees, in order."""
        return _indices(self.width, column, self.wrap)


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is >= `value`."""
    return -(-value // multiple) * multiple


def smallest_tile(halo: int, align: int) -> int:
    """The smallest side of a tile of which anything is left when a halo is dropped at two edges."""
    return round_up(2 * halo + align, align)


def reflect_indices(length: int, start: int, stop: int) -> Indices:
    """Where positions [start, stop) of an axis lie once it is continued by repeated reflection about its end pixels.

    Equals `numpy.pad(mode="reflect")` for any length >= 1; a single pixel repeats itself.
    """
    period = max(2 * (length - 1), 1)
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)


def plan_tiles(
    height: int,
    width: int,
    *,
    align: int,
    halo: int,
    tile: int | None = None,
    fixed: int | None = None,
    wrap: bool = False,
) -> Plan:
    """Choose the tiles for a height x width picture.

    `halo` is how many pixels are dropped at each inner edge of a tile. `tile` is its side, a multiple of `align`; None
    chooses: the whole picture up to 512 x 512 pixels, then tiles of at most 512. `fixed` is the side of a network that
    takes no other size: a smaller picture is then padded up to it. `wrap` is for a texture whose opposite sides meet.
    Raises `TileError` where the tile is too small for the halo, naming sizes that do.

    >>> len(plan_tiles(600, 1000, align=4, halo=20, tile=256).tiles)
    15
    """
    margin = round_up(halo, align) if wrap else 0
    lengths = [height + 2 * margin, width + 2 * margin]
    padded = [max(round_up(length, align), fixed or 0) for length in lengths]
    side = fixed or tile
    sides = [side, side] if side is not None else _auto_tiles(padded, halo, align)
    needed = smallest_tile(halo, align)
    if any(whole > side and side < needed for whole, side in zip(padded, sides, strict=True)):
        remedy = "use seam='fast' or another model" if fixed else f"use tile=None or a multiple of {align} >= {needed}"
        raise TileError(f"tile={side}: too small to tile with a seam of {halo} pixels on each side; {remedy}")
    rows, columns = (
        axis_spans(length, whole, min(side, whole), halo, align)
        for length, whole, side in zip(lengths, padded, sides, strict=True)
    )
    if wrap:
        rows, columns = _without_margin(rows, height, margin), _without_margin(columns, width, margin)
    return Plan(height, width, rows, columns, wrap)


def axis_spans(length: int, padded: int, tile: int, halo: int, align: int) -> tuple[Span, ...]:
    """Tiles along an axis of `length` pixels, continued to `padded`; `padded` and `tile` are multiples of `align`.

    Neighbours overlap by at least two halos and meet in the middle of the overlap; the kept parts tile [0, length).
    """
    stride = tile - round_up(2 * halo, align)
    starts = [*range(0, padded - tile, stride), padded - tile] if padded > tile else [0]
    cuts = [(left + right + tile) // 2 for left, right in pairwise(starts)]
    return tuple(
        Span(start, start + tile, low, high)
        for start, low, high in zip(starts, [0, *cuts], [*cuts, length], strict=True)
    )


def _without_margin(spans: Sequence[Span], length: int, margin: int) -> tuple[Span, ...]:
    """Spans of an axis that has a margin at both ends, in positions of the axis without it: nothing there is kept."""
    moved = [
        Span(s.start - margin, s.stop - margin, max(s.keep_start - margin, 0), min(s.keep_stop - margin, length))
        for s in spans
    ]
    return tuple(span for span in moved if span.keep_start < span.keep_stop)


def _auto_tiles(lengths: list[int], halo: int, align: int) -> list[int]:
    if lengths[0] * lengths[1] <= WHOLE_PICTURE_AREA:
        return lengths
    largest = round_up(max(AUTO_TILE, 4 * halo), align)
    margin = round_up(2 * halo, align)
    sides = []
    for length in lengths:
        # As many tiles as the largest size needs, then the smallest size for which that many still reach across:
        # a picture of 520 pixels becomes two tiles of 280, not two of 512.
        count = max(1, -(-(length - margin) // (largest - margin)))
        sides.append(round_up(-(-(length + (count - 1) * margin) // count), align))
    return sides


def _indices(length: int, span: Span, wrap: bool) -> Indices:
    if wrap:
        return np.arange(span.start, span.stop) % length
    return reflect_indices(length, span.start, span.stop)


def take(values: Floats, indices: Indices, axis: int) -> Floats:
    """`values` at `indices` along an axis; a view where they run on without a break, which most tiles do."""
    first, last = int(indices[0]), int(indices[-1])
    if last - first + 1 == len(indices) and (np.diff(indices) == 1).all():
        return values[(slice(None),) * axis + (slice(first, last + 1),)]
    return np.take(values, indices, axis)


def cut_tile(rows: Floats, columns: Indices) -> Floats:
    """What the network sees of `rows` [h, W, 3] at these columns: float32 [3, h, w], contiguous."""
    return np.ascontiguousarray(take(rows, columns, 1).transpose(2, 0, 1))


def kept_part(result: Floats, row: Span, column: Span, scale: int) -> Floats:
    """What is pasted of a tile's `result` [3, scale*h, scale*w]: a view [kept height, kept width, 3]."""
    inner = [slice((s.keep_start - s.start) * scale, (s.keep_stop - s.start) * scale) for s in (row, column)]
    return result[:, inner[0], inner[1]].transpose(1, 2, 0)
