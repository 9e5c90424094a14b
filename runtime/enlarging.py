"""From pixels to enlarged pixels: tiles are planned, run through an engine, and planned smaller where memory ends."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from .backends import Session
from .bundle import Bundle
from .errors import OutOfMemoryError, PictureError
from .manifest import Artifact
from .pictures.picture import Array, Picture
from .settings import Settings
from .shape import Shape
from .tiles.halo import HALOS
from .tiles.memory import Work
from .tiles.planning import IN_MEMORY, IN_STRIPS, Cut, Way, cuts, within
from .tiles.resizing import target_size
from .tiles.running import Engine, LayersInMemory, Source, paint_tiles
from .tiles.sinks import CanvasSink, ReducingSink, Sink
from .tiles.tile_sizes import TileSizes

Result = TypeVar("Result")
OpenSink = Callable[[tuple[int, int]], AbstractContextManager[Sink]]
"""From the (width, height) of a result to where its rows go."""


@dataclass(frozen=True)
class Enlarger:
    """A bundle's file on its engine, and how it is fed.

    `session` gives the engine for a file of the bundle, `painters` are the threads that bring its floats to pixels.
    """

    bundle: Bundle
    backend: str
    sizes: TileSizes
    session: Callable[[Artifact], Session]
    painters: Executor

    def fits(self, shape: Shape, settings: Settings) -> bool:
        """Whether a picture can be enlarged as a whole within `max_memory`."""
        try:
            self.check_fits(shape, settings)
        except PictureError:
            return False
        return True

    def check_fits(self, shape: Shape, settings: Settings) -> None:
        """Raise `PictureError` where a picture cannot be enlarged as a whole within `max_memory`."""
        if settings.limit is not None:
            next(self._cuts(IN_MEMORY, settings, shape))

    def in_memory(self, picture: Picture, settings: Settings) -> Array:
        """The enlarged picture: levels [H, W, channels] of its dtype.

        Raises `PictureError`, `TileError`, `SettingError`, `Cancelled` or `BackendError`.
        """
        source = LayersInMemory(picture.layers)

        def enlarge(cut: Cut) -> Array:
            sink = CanvasSink(_canvas(picture.shape, cut.work.target), picture.compose)
            self._paint(cut, source, sink, settings)
            return sink.canvas

        return self._attempt(self._cuts(IN_MEMORY, settings, picture.shape), enlarge)

    def in_strips(self, source: Source, shape: Shape, settings: Settings, open_sink: OpenSink) -> tuple[int, int]:
        """Enlarge a picture by rows, from a source of this shape into a sink; returns (width, height).

        Raises what `in_memory` raises, and the errors of source and sink.
        """

        def enlarge(cut: Cut) -> tuple[int, int]:
            with open_sink(cut.work.target) as sink:
                self._paint(cut, source, sink, settings)
            return cut.work.target

        return self._attempt(self._cuts(IN_STRIPS, settings, shape), enlarge)

    def _cuts(self, way: Way, settings: Settings, shape: Shape) -> Iterator[Cut]:
        manifest = self.bundle.manifest
        target = target_size(shape.width, shape.height, manifest.scale, settings.scale, settings.size)
        work = Work(shape, manifest.scale, target, settings.batch)
        halo = partial(HALOS[settings.seam], manifest)
        offered = cuts(self.sizes, work, halo, tile=settings.tile, wrap=settings.wrap)
        return within(settings.limit, way, offered, settings.tile)

    def _attempt(self, offered: Iterator[Cut], enlarge: Callable[[Cut], Result]) -> Result:
        """Enlarge by the first cut, and where memory runs out by the next, from the beginning."""
        cut = next(offered)
        while True:
            try:
                return enlarge(cut)
            except (OutOfMemoryError, MemoryError) as error:
                tiles, smaller = cut.tiles, next(offered, None)
                if smaller is None:
                    raise OutOfMemoryError(
                        f"{self._name(cut)}: out of memory even with {tiles}; close other programs, or use int8"
                    ) from error
                cut = smaller
                warnings.warn(f"out of memory with {tiles}; going on with {cut.tiles}", RuntimeWarning, stacklevel=5)

    def _paint(self, cut: Cut, source: Source, sink: Sink, settings: Settings) -> None:
        session, work = self.session(cut.artifact), cut.work
        if work.reduced:
            sink = ReducingSink(sink, source.count, work.enlarged, work.target)
        paint_tiles(
            Engine(session, work.scale, self._name(cut)),
            source,
            cut.plan,
            sink,
            batch=min(work.batch, session.max_batch or work.batch),
            painters=self.painters,
            progress=settings.progress,
            cancel=settings.cancel,
        )

    def _name(self, cut: Cut) -> str:
        return f"{self.bundle.path}: {cut.artifact.file} on {self.backend}"


def _canvas(shape: Shape, size: tuple[int, int]) -> Array:
    width, height = size
    try:
        canvas: np.ndarray[Any, Any] = np.empty((height, width, shape.channels), shape.dtype)
    except MemoryError as error:
        need = height * width * shape.pixel_bytes / 2**30
        raise PictureError(f"the result of {width}x{height} needs {need:.1f} GiB; crop the picture") from error
    return canvas
