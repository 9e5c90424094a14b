"""From the network's scale down to 2, 3 or an exact size: Lanczos, a few rows at a time.

It works on the values as they are encoded (gamma), not on linear light. The network learnt from pictures that were
reduced so; the negative lobes of Lanczos, which in linear light would draw dark lines beside bright ones, stay even;
and nothing need be known of the picture's profile. It works on the network's floats, colour premultiplied by alpha,
before they are rounded, so nothing is rounded twice and no colour bleeds from transparent parts.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError, SettingError

Floats = npt.NDArray[np.float32]

ROWS_AT_ONCE = 64
LANCZOS_SUPPORT = 3


def target_size(
    width: int, height: int, native: int, scale: int | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    """The (width, height) of the result for the options of a call. Raises `SettingError`, or `PictureError` for a
    size that is too large for this picture.

    >>> target_size(40, 30, native=4, scale=2, size=None)
    (80, 60)
    """
    if scale is not None and size is not None:
        raise SettingError(f"scale={scale}, size={size}: give one of them")
    if scale is not None and scale not in range(1, native + 1):
        raise SettingError(f"scale={scale}: the model enlarges {native} times; use a whole number from 1 to {native}")
    largest = (width * native, height * native)
    if size is None:
        return (width * (scale or native), height * (scale or native))
    if not all(isinstance(side, int) and 1 <= side <= most for side, most in zip(size, largest, strict=True)):
        most = f"{largest[0]}x{largest[1]}"
        raise PictureError(f"size={size[0]}x{size[1]}: the model makes {most} of this picture at most")
    return size


class RowReducer:
    """Reduces a picture that comes from top to bottom in bands of rows.

    The result does not depend on how the rows are cut into bands: it is made in steps of `ROWS_AT_ONCE` of its own.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """`source` and `target` are (width, height); neither side of `target` is longer than that of `source`."""
        self._source, self._target = source, target
        self._held: Floats | None = None
        self._first = 0
        self._done = 0

    def push(self, band: Floats) -> Iterator[tuple[int, Floats]]:
        """Take the next rows [h, W, K]; yield (first row, reduced rows [at most ROWS_AT_ONCE, w, K]) as they finish."""
        self._held = band if self._held is None else np.concatenate([self._held, band])
        while self._done < self._target[1]:
            stop = min(self._done + ROWS_AT_ONCE, self._target[1])
            low, high = self._seen_rows(self._done, stop)
            if high > self._first + len(self._held):
                break
            yield self._done, self._reduce(self._held[low - self._first : high - self._first], low, stop)
            self._done = stop
        keep = self._seen_rows(self._done, self._done)[0]
        if keep > self._first:
            self._held, self._first = self._held[keep - self._first :].copy(), keep

    def _seen_rows(self, start: int, stop: int) -> tuple[int, int]:
        """The rows of the source that rows [start, stop) of the result depend on."""
        ratio = self._source[1] / self._target[1]
        low = math.floor((start - LANCZOS_SUPPORT - 1) * ratio)
        high = math.ceil((stop + LANCZOS_SUPPORT + 1) * ratio)
        return max(low, 0), min(high, self._source[1])

    def _reduce(self, rows: Floats, first: int, stop: int) -> Floats:
        ratio = self._source[1] / self._target[1]
        box = (0.0, self._done * ratio - first, float(self._source[0]), min(stop * ratio - first, len(rows)))
        size = (self._target[0], stop - self._done)
        reduced = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(rows[..., channel])).resize(size, Image.Resampling.LANCZOS, box)
            )
            for channel in range(rows.shape[2])
        ]
        return np.stack(reduced, axis=-1)
