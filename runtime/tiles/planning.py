"""Which tiles a picture is cut into: as asked, as memory allows, and smaller ones where an engine runs out of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from ..errors import PictureError, TileError
from ..manifest import Artifact
from .memory import Work, needed_for_rows, needed_in_memory
from .tile_sizes import TileSizes
from .tiling import Plan, plan_tiles


class Way(NamedTuple):
    """How a picture is held: the bytes that takes, and what an error says where they are too many."""

    estimate: Callable[[Work, Plan, str, str], int]
    what: str
    remedy: str


SMALLEST_FRACTION = 1 / 16
"""Of the tiles to fall back on: smaller ones are almost all seam, and their picture would take hours."""

IN_MEMORY = Way(needed_in_memory, "as a whole", "let `to_file` write it in strips, or crop it")
IN_STRIPS = Way(needed_for_rows, "even in strips", "allow more, or leave out tile=, or take another precision")


@dataclass(frozen=True)
class Cut:
    """Tiles of the size that was asked for or offered, the file that runs them, and how many go into one call."""

    tile: int | None
    artifact: Artifact
    plan: Plan
    work: Work

    @property
    def kept_fraction(self) -> float:
        """How much of what the engine computes is in the result."""
        height, width = self.plan.tile_shape
        computed = len(self.plan.rows) * height * len(self.plan.columns) * width
        return self.work.shape.height * self.work.shape.width / computed

    @property
    def tiles(self) -> str:
        """How an error calls them."""
        height, width = self.plan.tile_shape
        return f"{self.work.batch} tile{'s' * (self.work.batch > 1)} of {width}x{height} at a time"

    def needs(self, way: Way) -> int:
        """Bytes."""
        return way.estimate(self.work, self.plan, self.artifact.backend, self.artifact.precision)


def cuts(
    sizes: TileSizes, work: Work, halo: Callable[[Artifact], int], *, tile: int | None, wrap: bool
) -> Iterator[Cut]:
    """The first cut for a picture and, ever smaller, those to fall back on, single tiles in a call.

    `halo` says how wide the tiles' is for a file. Raises `TileError` where the tile does not suit the picture.
    """
    sizes.check(tile)
    shape = work.shape

    def cut(tile: int | None, batch: int) -> Cut:
        artifact = sizes.artifact(tile, max(shape.height, shape.width))
        plan = plan_tiles(
            shape.height,
            shape.width,
            align=sizes.align,
            halo=halo(artifact),
            tile=tile,
            fixed=artifact.tile,
            wrap=wrap,
        )
        return Cut(tile, artifact, plan, replace(work, batch=batch))

    first = cut(tile, work.batch)
    yield first
    if work.batch > 1:
        yield cut(tile, 1)
    for half in sizes.halves(max(first.plan.tile_shape)):
        try:
            smaller = cut(half, 1)
        except TileError:  # too small for the halo
            return
        if smaller.kept_fraction < SMALLEST_FRACTION:
            return
        yield smaller


def within(limit: int | None, way: Way, offered: Iterator[Cut], tile: int | None) -> Iterator[Cut]:
    """The cuts from the first one on that needs no more than `limit` bytes; a `tile` that was named is not replaced.

    Raises `PictureError` where there is none.
    """
    if limit is None:
        yield from offered
        return
    needs = []
    for cut in offered:
        if tile not in (None, cut.tile):
            break
        needs.append(cut.needs(way))
        if needs[-1] <= limit:
            yield from chain([cut], offered)
            return
    raise PictureError(
        f"{way.what} this picture needs about {round(min(needs) / 1e6)} MB, max_memory allows {round(limit / 1e6)} MB; "
        f"{way.remedy}"
    )
