"""Which tile sizes the files of a bundle allow, and which file serves a size."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..backends.base import Offer
from ..errors import TileError
from ..manifest import Artifact, Manifest
from .tiling import round_up

LARGEST_TILE = 4096
"""Of a network of free size: beyond, its inner tensors take tens of gigabytes."""


@dataclass(frozen=True)
class TileSizes:
    """The files of one engine and precision, which differ in their tile size only.

    `free` is the file that takes any height and width, `fixed` those that take one size, the smallest first.
    """

    align: int
    suited: tuple[int, ...]
    free: Artifact | None
    fixed: tuple[Artifact, ...]

    @classmethod
    def of(cls, manifest: Manifest, chosen: Artifact, offers: Sequence[Offer]) -> "TileSizes":
        """Those of an engine's offers that may stand in for `chosen` when another tile size is asked for."""
        alike = [offer.artifact for offer in offers if offer.artifact.precision == chosen.precision]
        free = [artifact for artifact in alike if artifact.tile is None]
        fixed = sorted((artifact for artifact in alike if artifact.tile), key=_side)
        return cls(manifest.align, tuple(sorted(manifest.tiles)), free[0] if free else None, tuple(fixed))

    def check(self, tile: int | None) -> None:
        """Raise `TileError`, which lists the sizes that are allowed, where no file takes this one."""
        if tile is None or any(artifact.tile == tile for artifact in self.fixed):
            return
        if self.free is None:
            sides = ", ".join(str(artifact.tile) for artifact in self.fixed)
            raise TileError(f"tile={tile}: this model was built for tiles of {sides}; use one of them or tile=None")
        if not self.align <= tile <= LARGEST_TILE or tile % self.align:
            near = min(round_up(max(tile, 1), self.align), LARGEST_TILE // self.align * self.align)
            sides = ", ".join(map(str, self.suited)) or str(near)
            raise TileError(
                f"tile={tile}: a tile is a multiple of {self.align} pixels and at most {LARGEST_TILE}; "
                f"use for example {sides} or {near}"
            )

    def halves(self, tile: int) -> Iterator[int]:
        """The sizes to fall back on where `tile` takes too much memory: half its area, and so on; or the fixed ones."""
        if self.free is None:
            yield from sorted((_side(artifact) for artifact in self.fixed if _side(artifact) < tile), reverse=True)
            return
        while (half := round_up(math.isqrt(tile * tile // 2), self.align)) < tile:
            yield half
            tile = half

    def artifact(self, tile: int | None, longest: int) -> Artifact:
        """The file for tiles of this size; for None the free one, or the smallest that holds `longest` pixels."""
        for artifact in self.fixed:
            if artifact.tile == tile:
                return artifact
        if self.free is not None:
            return self.free
        return next((artifact for artifact in self.fixed if _side(artifact) >= longest), self.fixed[-1])


def _side(artifact: Artifact) -> int:
    return artifact.tile or 0
