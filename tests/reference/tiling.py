"""ResShift's way to large pictures: overlapping tiles, each sampled by itself, averaged with uniform weights.

It leaves visible seams, because every tile has its own noise and its own global norms; it is here to reproduce the
published results. The deployed networks are tiled without seams by ``runtime.tiles.tiling``.
"""

import re
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.reference.findings import FLOAT32, Finding, compare, mismatch
from tests.reference.folder import GoldenFolder, Stored

TILING = {"tile": 24, "stride": 16, "extra_bs": 2}
"""Sizes of the stored example; ``meta.json["tiling"]`` may say otherwise."""
SIZES = re.compile(r"(\d+)x(\d+)_p(\d+)_s(\d+)")
"""Height, width, tile and stride in the names of ``meta.json["tile_starts"]``."""


def starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    """First pixels of the tiles along an axis: 0, stride, ... ; a tile that would overrun is moved back to the end."""
    if length <= tile:
        return (0,)
    return tuple(dict.fromkeys(min(start, length - tile) for start in range(0, length, stride)))


def run_tiles(
    picture: Tensor, tile: int, stride: int, scale: int, run: Callable[[Tensor], Tensor], tiles_at_once: int = 1
) -> Tensor:
    """Run tiles of ``picture`` [N, C, H, W] through ``run`` and average them -> [N, C', scale H, scale W].

    ``run`` gets ``tiles_at_once`` tiles (the last time perhaps fewer) stacked in the batch, [k N, C, tile, tile], and
    makes each ``scale`` times larger; tiles come row by row, from left to right.
    """
    height, width = picture.shape[2:]
    corners = [(y, x) for y in starts(height, tile, stride) for x in starts(width, tile, stride)]
    total: Tensor | None = None
    for first in range(0, len(corners), tiles_at_once):
        group = corners[first : first + tiles_at_once]
        results = run(torch.cat([picture[:, :, y : y + tile, x : x + tile] for y, x in group]))
        if total is None:
            total = results.new_zeros(len(picture), results.shape[1], scale * height, scale * width)
            count = torch.zeros_like(total)
        for (y, x), result in zip(group, results.chunk(len(group)), strict=True):
            area = (..., slice(scale * y, scale * (y + tile)), slice(scale * x, scale * (x + tile)))
            total[area] += result
            count[area] += 1
    assert total is not None
    return total / count


def check_tiling(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Tiles enlarged by repetition, each marked with its batch (tens) and its place in it (ones), then merged."""
    sizes = {**TILING, **folder.meta.get("tiling", {})}
    image, merged = stored["image"], stored["merged"]
    scale = merged.shape[2] // image.shape[2]
    batches = iter(range(0, 1 << 30, 10))

    def mark(tiles: Tensor) -> Tensor:
        place = torch.arange(len(tiles) // len(image)).repeat_interleave(len(image))
        return F.interpolate(tiles, scale_factor=scale, mode="nearest") + next(batches) + place.view(-1, 1, 1, 1)

    result = run_tiles(image, sizes["tile"], sizes["stride"], scale, mark, sizes["extra_bs"])
    yield compare("merged", result, merged, FLOAT32)


def check_starts(folder: GoldenFolder) -> Iterator[Finding]:
    """Where tiles begin, for every size that ``meta.json`` lists."""
    for name, stored in folder.meta.get("tile_starts", {}).items():
        match = SIZES.fullmatch(name)
        if match is None:
            yield Finding.unchecked(f"tile_starts {name}")
            continue
        height, width, tile, stride = map(int, match.groups())
        ours = {"h": list(starts(height, tile, stride)), "w": list(starts(width, tile, stride))}
        yield mismatch(f"tile_starts {name}", ours, stored)
