"""Where finished rows go, from top to bottom: an array, a file, or first through a reduction."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .resizing import RowReducer

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
Compose = Callable[[Sequence[Floats]], Array]
"""From layers [h, w, 3] to pixels [h, w, K]."""


class Sink(Protocol):
    """Takes the enlarged picture in bands: `rows` gives an array to paint [start, stop) into, `done` takes it back."""

    def rows(self, start: int, stop: int) -> Array:
        """An array [stop - start, W, K]."""
        ...

    def done(self, start: int, rows: Array) -> None:
        """The rows from `start` on are painted."""
        ...

    def compose(self, layers: Sequence[Floats]) -> Array:
        """Any rectangle of the enlarged layers, each [h, w, 3], as what belongs into `rows`: [h, w, K]."""
        ...


class CanvasSink:
    """Paints straight into the result [H, W, channels]."""

    def __init__(self, canvas: Array, compose: Compose) -> None:
        self.canvas = canvas
        self.compose = compose

    def rows(self, start: int, stop: int) -> Array:
        """These rows of the result itself."""
        return self.canvas[start:stop]

    def done(self, start: int, rows: Array) -> None:
        """Nothing is left to do: the rows were the result's own."""


class StreamSink:
    """Hands rows of `shape` (width, channels) and `dtype` on as they finish."""

    def __init__(
        self, write: Callable[[Array], None], shape: tuple[int, int], dtype: np.dtype[Any], compose: Compose
    ) -> None:
        self._write = write
        self._band = np.empty((0, *shape), dtype)
        self.compose = compose

    def rows(self, start: int, stop: int) -> Array:
        """An array to paint, always in the same memory: bands of ever other sizes leave holes, and memory grows."""
        if stop - start > len(self._band):
            self._band = np.empty((stop - start, *self._band.shape[1:]), self._band.dtype)
        return self._band[: stop - start]

    def done(self, start: int, rows: Array) -> None:
        """Hand them on, to be used before `write` returns; what it raises passes through."""
        self._write(rows)


class ReducingSink:
    """Reduces the enlarged picture from `source` to `target`, (width, height) each, on its way into another sink."""

    def __init__(self, after: Sink, layers: int, source: tuple[int, int], target: tuple[int, int]) -> None:
        self._after = after
        self._shape = (source[0], 3 * layers)
        self._reducer = RowReducer(source, target)

    def rows(self, start: int, stop: int) -> Array:
        """An array for layers behind each other, before the reduction."""
        return np.empty((stop - start, *self._shape), np.float32)

    def compose(self, layers: Sequence[Floats]) -> Array:
        """The layers behind each other: they become pixels after the reduction."""
        return np.concatenate(layers, axis=-1)

    def done(self, start: int, rows: Array) -> None:
        """Pass on what can be reduced already."""
        for first, reduced in self._reducer.push(rows):
            layers = np.split(reduced, self._shape[1] // 3, axis=-1)
            into = self._after.rows(first, first + len(reduced))
            into[:] = self._after.compose(layers)
            self._after.done(first, into)
