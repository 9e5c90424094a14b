"""ResShift's tiles for large pictures."""

import re
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.reference.chop import chop, starts
from tests.reference.findings import FLOAT32, Finding, compare, mismatch
from tests.reference.folder import GoldenFolder, Stored

TILING = {"tile": 24, "stride": 16, "extra_bs": 2}
"""Sizes of the stored example; ``meta.json["tiling"]`` may say otherwise."""
SIZES = re.compile(r"(\d+)x(\d+)_p(\d+)_s(\d+)")
"""Height, width, tile and stride in the names of ``meta.json["tile_starts"]``."""


def check_tiling(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Tiles enlarged by repetition, each marked with its batch (tens) and its place in it (ones), then merged."""
    sizes = {**TILING, **folder.meta.get("tiling", {})}
    image, merged = stored["image"], stored["merged"]
    scale = merged.shape[2] // image.shape[2]
    batches = iter(range(0, 1 << 30, 10))

    def mark(tiles: Tensor) -> Tensor:
        place = torch.arange(len(tiles) // len(image)).repeat_interleave(len(image))
        return F.interpolate(tiles, scale_factor=scale, mode="nearest") + next(batches) + place.view(-1, 1, 1, 1)

    result = chop(image, sizes["tile"], sizes["stride"], scale, mark, sizes["extra_bs"])
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
