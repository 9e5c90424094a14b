"""Run the tiles of a picture through an engine and paint what they give into a sink."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..backends import Session
from ..errors import BackendError, Cancelled
from ..settings import Cancel, Progress
from .opacity import settle
from .pipeline import run_ahead
from .sinks import Array, Sink
from .tiling import Indices, Plan, Span, cut_tile, kept_part, take

Floats = npt.NDArray[np.float32]

AT_ONCE = 2**19
"""Values in one step of a thread: few enough for a processor's cache, enough to be worth its turn."""


class Source(Protocol):
    """A picture that is read by rows."""

    @property
    def count(self) -> int:
        """How many layers it has."""
        ...

    def rows(self, indices: Indices) -> Sequence[Floats]:
        """Each layer's rows at `indices`: RGB [len(indices), W, 3] in [0, 1]."""
        ...


@dataclass(frozen=True)
class LayersInMemory:
    """A `Source` of whole layers [H, W, 3]."""

    layers: Sequence[Floats]

    @property
    def count(self) -> int:
        """See `Source`."""
        return len(self.layers)

    def rows(self, indices: Indices) -> Sequence[Floats]:
        """See `Source`."""
        return [take(layer, indices, 0) for layer in self.layers]


@dataclass(frozen=True)
class Engine:
    """A session, the enlargement its results must have, and the name by which an error calls it."""

    session: Session
    scale: int
    name: str

    def run(self, batch: Floats, where: Sequence[str], checkers: Executor) -> Floats:
        """Enlarge [N, 3, h, w] to [N, 3, scale*h, scale*w]; `where` names each of the N for an error.

        `checkers` look at the result, part by part. Raises `BackendError` where the engine fails or gives anything but
        finite numbers of that shape.
        """
        result = self.session.run(batch)
        shape = (len(batch), 3, batch.shape[2] * self.scale, batch.shape[3] * self.scale)
        if result.shape != shape:
            raise BackendError(
                f"{self.name} gave {result.shape} instead of {shape} for {where[0]}; the bundle is faulty"
            )
        for values, tile in zip(result, where, strict=True):
            if not _finite(values, checkers):
                raise BackendError(
                    f"{self.name} gave NaN or infinite values in {tile}; try another precision or backend"
                )
        return result


@dataclass(frozen=True)
class Tile:
    """One tile to run: its place, and what the network sees of each layer, [3, h, w]."""

    number: int
    row: Span
    column: Span
    layers: Sequence[Floats]


def paint_tiles(
    engine: Engine,
    source: Source,
    plan: Plan,
    sink: Sink,
    *,
    batch: int,
    painters: Executor,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Enlarge a picture tile by tile into `sink`, with at most `batch` tiles (layers counted) in a call of the engine.

    `progress(done, total)` is called after each tile; `cancel` is asked before each, and raises `Cancelled` if true.
    Other errors are those of `Engine.run`, of the source and of the sink.
    """
    total = len(plan.rows) * len(plan.columns)

    def run(tiles: Sequence[Tile]) -> list[Sequence[Floats]]:
        inputs = [layer for tile in tiles for layer in tile.layers]
        where = [
            f"tile {tile.number} of {total} (x={tile.column.start}, y={tile.row.start})"
            for tile in tiles
            for _ in tile.layers
        ]
        results: list[Floats] = []
        for first in range(0, len(inputs), batch):
            part = slice(first, first + batch)
            results += list(engine.run(np.stack(inputs[part]), where[part], painters))
        each = len(tiles[0].layers)
        return [settle(tile.layers, results[each * i : each * (i + 1)]) for i, tile in enumerate(tiles)]

    painted: dict[Span, Array] = {}
    for tiles, results in run_ahead(run, _in_groups(_cut(source, plan), batch)):
        for tile, layers in zip(tiles, results, strict=True):
            if cancel is not None and cancel():
                raise Cancelled(f"stopped before tile {tile.number} of {total}; nothing was saved")
            kept = [kept_part(layer, tile.row, tile.column, engine.scale) for layer in layers]
            top = tile.row.keep_start * engine.scale
            if tile.row not in painted:
                painted[tile.row] = sink.rows(top, tile.row.keep_stop * engine.scale)
            columns = slice(tile.column.keep_start * engine.scale, tile.column.keep_stop * engine.scale)
            _paint(sink, kept, painted[tile.row][:, columns], painters)
            if tile.column == plan.columns[-1]:
                sink.done(top, painted.pop(tile.row))
            if progress is not None:
                progress(tile.number, total)


def _finite(values: Floats, checkers: Executor) -> bool:
    parts = np.array_split(values.reshape(-1), max(1, values.size // AT_ONCE))
    return all(checkers.map(lambda part: bool(np.isfinite(part).all()), parts))


def _cut(source: Source, plan: Plan) -> Iterator[Tile]:
    number = 0
    for row in plan.rows:
        layers = source.rows(plan.row_indices(row))
        for column in plan.columns:
            number += 1
            indices = plan.column_indices(column)
            yield Tile(number, row, column, [cut_tile(layer, indices) for layer in layers])


def _in_groups(tiles: Iterator[Tile], size: int) -> Iterator[Sequence[Tile]]:
    while group := list(islice(tiles, size)):
        yield group


def _paint(sink: Sink, layers: Sequence[Floats], into: Array, painters: Executor) -> None:
    height, width = into.shape[:2]
    step = max(1, math.ceil(AT_ONCE / (3 * width)))

    def paint(start: int) -> None:
        pixels = sink.compose([layer[start : start + step] for layer in layers])
        for channel in range(pixels.shape[-1]):  # all at once NumPy would go through them three values at a time
            into[start : start + step, :, channel] = pixels[..., channel]

    for _ in painters.map(paint, range(0, height, step)):
        pass
