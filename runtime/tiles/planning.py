"""Which tiles a picture is cut into: as asked, as memory allows, and smaller ones where an engine runs out of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from ..errors import PictureError, TileError
from ..manifest import Artifact, Manifest
from ..pictures.headers import Header
from ..settings import SEAMS, Settings
from .memory import Work, needed_for_rows, needed_in_memory
from .resizing import target_size
from .tile_sizes import TileSizes
from .tiling import Plan, plan_tiles


class Way(NamedTuple):
    """How a picture is held: the bytes that takes, and what an error says where they are too many."""

    estimate: Callable[[Work, Plan, str, str], int]
    what: str
    remedy: str


SMALLEST_SHARE = 1 / 16
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
    def kept_share(self) -> float:
        """How much of what the engine computes is in the result."""
        height, width = self.plan.tile_shape
        computed = len(self.plan.rows) * height * len(self.plan.columns) * width
        return self.work.height * self.work.width / computed

    @property
    def tiles(self) -> str:
        """How an error calls them."""
        height, width = self.plan.tile_shape
        return f"{self.work.batch} tile{'s' * (self.work.batch > 1)} of {width}x{height} at a time"

    def needs(self, way: Way) -> int:
        """Bytes."""
        return way.estimate(self.work, self.plan, self.artifact.backend, self.artifact.precision)


def cuts(manifest: Manifest, sizes: TileSizes, header: Header, settings: Settings) -> Iterator[Cut]:
    """The first cut for a picture and, ever smaller, those to fall back on, single tiles in a call.

    Raises `TileError`, `SettingError` or `PictureError` where the settings do not suit the picture.
    """
    sizes.check(settings.tile)
    target = target_size(header.width, header.height, manifest.scale, settings.scale, settings.size)

    def cut(tile: int | None, batch: int) -> Cut:
        artifact = sizes.artifact(tile, max(header.height, header.width))
        plan = plan_tiles(
            header.height,
            header.width,
            align=manifest.align,
            radius=SEAMS[settings.seam](manifest, artifact),
            tile=tile,
            fixed=artifact.tile,
            wrap=settings.wrap,
        )
        shape = (header.height, header.width, header.channels, header.itemsize)
        return Cut(tile, artifact, plan, Work(*shape, manifest.scale, target, batch))

    first = cut(settings.tile, settings.batch)
    yield first
    if settings.batch > 1:
        yield cut(settings.tile, 1)
    for tile in sizes.halves(max(first.plan.tile_shape)):
        try:
            smaller = cut(tile, 1)
        except TileError:  # too small for the seam
            return
        if smaller.kept_share < SMALLEST_SHARE:
            return
        yield smaller


def within(limit: int | None, way: Way, offered: Iterator[Cut], settings: Settings) -> Iterator[Cut]:
    """The cuts from the first one on that needs no more than `limit` bytes; a tile that was named is not replaced.

    Raises `PictureError` where there is none.
    """
    if limit is None:
        yield from offered
        return
    needs = []
    for cut in offered:
        if settings.tile not in (None, cut.tile):
            break
        needs.append(cut.needs(way))
        if needs[-1] <= limit:
            yield from chain([cut], offered)
            return
    raise PictureError(
        f"{way.what} this picture needs about {round(min(needs) / 1e6)} MB, max_memory allows {round(limit / 1e6)} MB; "
        f"{way.remedy}"
    )
