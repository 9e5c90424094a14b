"""What can be asked of a single picture, and the checks that need no picture."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from .errors import SettingError
from .tiles.halo import HALOS
from .tiles.memory import parse_bytes
from .tiles.running import Cancel, Progress


class Options(TypedDict, total=False):
    """The keywords of `Upscaler.__call__`, `to_file`, `many` and `runtime.upscale`; each may be left out."""

    tile: int | None
    """Side of a tile in pixels of the input, a size that the model allows; None chooses."""
    seam: str
    """"exact": tiles equal the whole picture; "fast" (default): so that no difference can be seen."""
    wrap: bool
    """Whether the picture is a texture whose opposite sides meet; then those of the result do."""
    scale: int | None
    """Enlargement, from 1 to the model's own, which None means; less is reduced from that, with Lanczos."""
    size: tuple[int, int] | None
    """Exact (width, height) of the result, neither longer than the model makes it; instead of `scale`."""
    batch: int
    """How many tiles go into a call of the engine at most, by default 1."""
    max_memory: int | str | None
    """The most that the process may hold, in bytes or as "700MB"; it chooses the tile. None: no limit."""
    progress: Progress | None
    """Called as progress(done, total) after each tile; an exception from it ends the work."""
    cancel: Cancel | None
    """Asked before each tile is painted; true ends the work with `Cancelled`."""


@dataclass(frozen=True)
class Settings:
    """`Options` with all of them there and checked. Raises `SettingError` for one that cannot work with any picture."""

    tile: int | None = None
    seam: str = "fast"
    wrap: bool = False
    scale: int | None = None
    size: tuple[int, int] | None = None
    batch: int = 1
    max_memory: int | str | None = None
    progress: Progress | None = None
    cancel: Cancel | None = None

    def __post_init__(self) -> None:
        if self.seam not in HALOS:
            raise SettingError(f"seam={self.seam}: unknown; choose one of {', '.join(HALOS)}")
        if self.batch < 1:
            raise SettingError(f"batch={self.batch}: at least one tile goes into a call; use 1 or more")
        if self.wrap and (self.scale, self.size) != (None, None):
            raise SettingError("wrap=True: the reduction to scale= or size= does not wrap around; leave them out")
        _ = self.limit

    @cached_property
    def limit(self) -> int | None:
        """`max_memory` in bytes."""
        return None if self.max_memory is None else parse_bytes(self.max_memory)
