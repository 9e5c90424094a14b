"""ResShift's way to large pictures: overlapping tiles, each sampled by itself, averaged with uniform weights.

It leaves visible seams, because every tile has its own noise and its own global norms; it is here to reproduce the
published results. The deployed networks are tiled without seams by ``runtime.tiles.tiling``.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    """First pixels of the tiles along an axis: 0, stride, ... ; a tile that would overrun is moved back to the end."""
    if length <= tile:
        return (0,)
    return tuple(dict.fromkeys(min(start, length - tile) for start in range(0, length, stride)))


def chop(
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
