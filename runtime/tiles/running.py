"""Run the tiles of a picture through an engine and paint what they give into a sink.

The engine works on one tile while the next is cut and the last is painted.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..backends import Session
from ..errors import BackendError, Cancelled
from .sinks import Array, Sink
from .tiling import Indices, Plan, Span, cut_tile, kept_part, take

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
Cancel = Callable[[], bool]
Item = TypeVar("Item")
Result = TypeVar("Result")

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
        """How many layers it has."""
        return len(self.layers)

    def rows(self, indices: Indices) -> Sequence[Floats]:
        """Each layer's rows at `indices`: RGB [len(indices), W, 3] in [0, 1]."""
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
        count = len(tiles[0].layers)
        return [settle_alpha(tile.layers, results[count * i : count * (i + 1)]) for i, tile in enumerate(tiles)]

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


def settle_alpha(seen: Sequence[Floats], enlarged: Sequence[Floats]) -> Sequence[Floats]:
    """A tile's layers as the network enlarged them; of two, the second is alpha, and is settled in place.

    What is wholly clear or wholly opaque stays so: a network's zero is not quite 0, nor its one 1. Where a pixel of the
    alpha that was `seen` [3, h, w] and its eight neighbours are all 0 or all 1, so are its pixels of the enlarged alpha
    [3, scale h, scale w].

    >>> alpha = np.zeros((3, 4, 4), np.float32)
    >>> settle_alpha([alpha, alpha], [np.full((3, 8, 8), 0.01, np.float32) for _ in range(2)])[1].max()
    np.float32(0.0)
    """
    if len(seen) == 2:
        alpha, result = seen[1][0], enlarged[1]
        height, width = alpha.shape
        scale = result.shape[1] // height
        blocks = result.reshape(3, height, scale, width, scale)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(alpha, 1, mode="edge"), (3, 3))
        for value in (0, 1):
            settled = (around == value).all((2, 3))
            np.copyto(blocks, value, where=settled[:, None, :, None])
    return enlarged


def run_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in order. `function` runs in one other thread, one item ahead of the caller.

    Items are made in the caller's thread. An exception of `function` is raised at its item. Where the caller stops
    early, the call under way is waited for, and no other begins.

    >>> list(run_ahead(abs, [-1, 2]))
    [(-1, 1), (2, 2)]
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(1) as worker:
        try:
            for item in items:
                waiting.append((item, worker.submit(function, item)))
                if len(waiting) > 1:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


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
