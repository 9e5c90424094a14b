"""How much memory a picture will take, so that a limit can choose the tiles before any work begins. Bytes throughout.

What an engine takes for tiles of a size is not computed but measured: `memory.json`, by the command that it names.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SettingError
from ..shape import Shape
from .tiling import Plan

MEASURED = Path(__file__).with_name("memory.json")
FLOAT = 4
PILLOW = 4
"""Bytes of a pixel inside Pillow, whatever its mode."""
SPARE = 1.05
"""Allocators keep a little more than they are asked for."""

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_bytes(amount: int | str) -> int:
    """A number of bytes, or a text such as "700MB", "1.5 GB" or "512MiB". Raises `SettingError`.

    >>> parse_bytes("700MB")
    700000000
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", str(amount), re.IGNORECASE)
    if match is None or match[2].lower() not in _UNITS or float(match[1]) == 0:
        raise SettingError(f"max_memory={amount}: not an amount of memory; write for example 700MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


@dataclass(frozen=True)
class Work:
    """What is to be enlarged, and how: all that the memory depends on beside the engine.

    `scale` is the network's, `target` the result's (width, height), `batch` how many tiles go into a call.
    """

    shape: Shape
    scale: int
    target: tuple[int, int]
    batch: int

    @property
    def enlarged(self) -> tuple[int, int]:
        """What the network gives: (width, height)."""
        return self.shape.width * self.scale, self.shape.height * self.scale

    @property
    def reduced(self) -> bool:
        """Whether the result is made smaller than what the network gives."""
        return self.target != self.enlarged


def needed_in_memory(work: Work, plan: Plan, backend: str, precision: str) -> int:
    """The most that the process will hold where picture and result lie in memory as a whole."""
    source = work.shape.height * work.shape.width * (PILLOW + _input_pixel(work))
    target = work.target[0] * work.target[1] * (PILLOW + work.shape.pixel_bytes)
    band = _band(work, plan) if work.reduced else 0
    return int(SPARE * (_tiles(work, plan, backend, precision) + source + target + band))


def needed_for_rows(work: Work, plan: Plan, backend: str, precision: str) -> int:
    """The most that the process will hold where rows come from a file and go to a file: the height does not matter."""
    window = plan.tile_shape[0] * work.shape.width * _input_pixel(work)
    codec = _measured()["codec"]
    codec_bytes = codec["bytes"] * max(1.0, max(work.shape.width, work.target[0]) / codec["width"])
    running = _tiles(work, plan, backend, precision) + window + _band(work, plan)
    return int(SPARE * (running + codec_bytes))


def engine_bytes(backend: str, precision: str, pixels: int) -> int:
    """What a process with this engine holds at most while it runs `pixels` of input at once; measured, interpolated.

    An engine that was not measured is taken for the hungriest of those that were.
    """
    rows = _measured()["engines"]
    same = [row["points"] for row in rows if (row["backend"], row["precision"]) == (backend, precision)]
    return max(_interpolate(points, pixels) for points in same or [row["points"] for row in rows])


@lru_cache(maxsize=1)
def _measured() -> dict[str, Any]:
    return dict(json.loads(MEASURED.read_text(encoding="utf-8")))


def _interpolate(points: list[list[int]], pixels: int) -> int:
    sizes, peaks = np.array(points, float).T
    if pixels <= sizes[-1]:
        return int(np.interp(pixels, sizes, peaks))
    return int(peaks[-1] + (pixels - sizes[-1]) * (peaks[-1] - peaks[0]) / (sizes[-1] - sizes[0]))


def _tiles(work: Work, plan: Plan, backend: str, precision: str) -> int:
    """The engine with its tiles, and beside it the tile that waits and the one that is being painted."""
    pixels = plan.tile_shape[0] * plan.tile_shape[1]
    beside = 2 * work.batch * work.shape.layers * pixels * 3 * FLOAT * (1 + work.scale**2)
    return engine_bytes(backend, precision, pixels * work.batch) + beside


def _input_pixel(work: Work) -> int:
    """A pixel of the input as levels, as floats, and as the layers that the network sees."""
    shape = work.shape
    return shape.pixel_bytes + shape.channels * FLOAT + 3 * FLOAT * (1 if shape.layers == 1 else 3)


def _band(work: Work, plan: Plan) -> int:
    """The enlarged rows of one row of tiles; of a result that is reduced, as floats, and once more while joined."""
    kept = max(row.keep_stop - row.keep_start for row in plan.rows)
    pixel = 2 * work.shape.layers * 3 * FLOAT if work.reduced else work.shape.pixel_bytes
    return kept * work.scale * work.enlarged[0] * pixel
