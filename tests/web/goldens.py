"""Tiling that both languages must agree on: `python -m tests.web.goldens` writes tiling.json from `runtime.tiles`."""

import json
from itertools import product
from pathlib import Path
from typing import Any

from runtime.errors import TileError
from runtime.tiles.tiling import Span, plan_tiles, reflect_indices

GOLDENS = Path(__file__).with_name("tiling.json")
LENGTHS = (1, 3, 128, 190, 517, 1601)
RULES = ((4, 36), (4, 64), (8, 7), (1, 0))
"""(align, radius)"""
TILES = (None, 128, 256)
LARGEST = 512


def goldens() -> dict[str, Any]:
    """Plans as rows and columns of [start, stop, keep_start, keep_stop], null where the tile cannot work."""
    cases = product(LENGTHS, LENGTHS[::2], RULES, TILES)
    plans = [_plan(height, width, align, radius, tile) for height, width, (align, radius), tile in cases]
    axes = [(1, 0, 9), (2, 0, 9), (5, 3, 40), (7, 0, 7)]
    reflections = [[*axis, reflect_indices(*axis).tolist()] for axis in axes]
    return {"largest": LARGEST, "plans": plans, "reflections": reflections}


def _plan(height: int, width: int, align: int, radius: int, tile: int | None) -> dict[str, Any]:
    try:
        plan = plan_tiles(height, width, align=align, halo=radius, tile=tile)
        spans = {"rows": [*map(_numbers, plan.rows)], "columns": [*map(_numbers, plan.columns)]}
    except TileError:
        spans = {"rows": None, "columns": None}
    return {"height": height, "width": width, "align": align, "radius": radius, "tile": tile, **spans}


def _numbers(span: Span) -> list[int]:
    return [span.start, span.stop, span.keep_start, span.keep_stop]


def main() -> None:
    found = goldens()
    lines = ",\n".join(json.dumps(plan) for plan in found.pop("plans"))
    GOLDENS.write_text(f'{json.dumps(found)[:-1]}, "plans": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
