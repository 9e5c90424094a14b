"""A loaded bundle that enlarges pictures."""

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar, Unpack, overload

import numpy as np
from PIL import Image

from .backends import Session, open_session
from .bundle import Bundle
from .errors import OutOfMemoryError, PictureError, SettingError
from .manifest import Artifact
from .pictures.files import upscale_file
from .pictures.headers import Header, read_header
from .pictures.picture import Array, ImageLike, Picture, PictureLike, open_picture
from .pictures.saving import check_output, check_quality
from .settings import SEAMS, Options, Progress, Settings
from .tiles.pipeline import run_ahead
from .tiles.planning import IN_MEMORY, IN_STRIPS, Cut, Way, cuts, within
from .tiles.running import Engine, LayersInMemory, Source, paint_tiles
from .tiles.sinks import CanvasSink, ReducingSink, Sink, StreamSink
from .tiles.tile_sizes import TileSizes
from .tiles.tiling import round_up

__all__ = ["SEAMS", "Options", "Progress", "Upscaler"]

WARMUP_SIDE = 64
PAINTERS = 4
"""Threads that bring an engine's floats to pixels, at most; with one, that alone is 5 % of what INT8 takes."""

Result = TypeVar("Result")


class Upscaler:
    """Enlarges pictures with one file of a bundle. Deterministic; may be used by several threads at once.

    For `backend`, `precision` and `threads` see `load`; `backend` and `artifact` then say what was chosen. Raises
    `BundleError` or `BackendError` where the bundle has no usable file for the request.

    >>> with runtime.Upscaler(runtime.read_bundle(runtime.DEFAULT_BUNDLE), precision="int8", threads=2) as upscaler:
    ...     upscaler("photo.jpg").size
    (160, 120)
    """

    def __init__(
        self, bundle: Bundle, *, backend: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = bundle
        self.manifest = bundle.manifest
        opened = open_session(bundle, backend, precision, threads)
        self.artifact = opened.choice.artifact
        self.backend = opened.choice.backend.name
        self._engine = opened.choice.backend
        self._sizes = TileSizes.of(self.manifest, self.artifact, self._engine.offers(self.manifest))
        self._threads = threads
        self._painters = ThreadPoolExecutor(min(PAINTERS, threads or os.cpu_count() or 1))
        self._loading = threading.Lock()
        self._sessions: dict[Artifact, Session] | None = {self.artifact: opened.session}

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine; calls already under way finish, others raise `SettingError`.

        >>> closed = runtime.load()
        >>> closed.close()
        >>> closed(np.zeros((30, 40, 3), np.uint8))
        Traceback (most recent call last):
        runtime.errors.SettingError: ...: this upscaler is closed; load it again
        """
        self._sessions = None

    def warmup(self) -> None:
        """Run a small blank picture, so that the first real one does not pay for the engine's preparations.

        Raises `BackendError`.

        >>> upscaler.warmup()
        """
        side = self.artifact.tile or round_up(WARMUP_SIDE, self.manifest.align)
        self.session(self.artifact).run(np.zeros((1, 3, side, side), np.float32))

    @overload
    def __call__(self, image: Array, **options: Unpack[Options]) -> Array: ...

    @overload
    def __call__(self, image: ImageLike, **options: Unpack[Options]) -> Image.Image: ...

    def __call__(self, image: PictureLike, **options: Unpack[Options]) -> Image.Image | Array:
        """Enlarge a path, `PIL.Image` or array [H, W] or [H, W, 1 | 3 | 4] by the bundle's scale, to the same kind.

        Arrays are uint8, uint16 or float in [0, 1], and the result has the same dtype; a path gives a `PIL.Image`. For
        the options see `Options`. `max_memory` counts all that the process holds, the result too: for what does not fit
        there is `to_file`. Where an engine runs out of memory the tile is halved, with a warning. Raises
        `PictureError`, `SettingError` (a `TileError` for a tile size that the model does not allow), `Cancelled`, or
        `BackendError` (`OutOfMemoryError` where even the smallest tile is too large).

        >>> upscaler(np.zeros((30, 40, 3), np.uint8)).shape
        (120, 160, 3)
        >>> upscaler("photo.jpg", size=(100, 75), tile=128, seam="fast").size
        (100, 75)
        """
        settings = Settings(**options)
        if settings.limit is not None:
            next(self._cuts(IN_MEMORY, settings, read_header(image)))
        return self._enlarge(open_picture(image), settings)

    def many(self, images: Iterable[PictureLike], **options: Unpack[Options]) -> Iterator[Image.Image | Array]:
        """Enlarge one picture after the other, each with the same options; the next is read while one is enlarged.

        A picture that fails raises the errors of a single call at its place, and that ends the iteration.

        >>> [large.size for large in upscaler.many(["photo.jpg", "photo.jpg"])]
        [(160, 120), (160, 120)]
        """
        settings = Settings(**options)
        for _, picture in run_ahead(open_picture, images):
            yield self._enlarge(picture, settings)

    def to_file(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        *,
        strip_metadata: bool = False,
        quality: int | None = None,
        **options: Unpack[Options],
    ) -> tuple[int, int]:
        """Enlarge a picture file into another, whose suffix names the format; returns (width, height).

        Keeps more than a `PIL.Image` can: 16-bit colour (with the extra `imaging`), every frame of an animation with
        its timing, every page. `strip_metadata` leaves out EXIF and XMP; the ICC profile stays, it is part of the
        colours. `quality` is as in `save_picture`. What cannot be kept is said by a `PictureWarning`.

        With `max_memory`, what does not fit is read and written in strips: then the memory does not depend on the
        picture's height. That needs the extra `imaging`, room on the target's disk for the input uncompressed, and a
        target in PNG, JPEG or TIFF. The target appears complete or not at all. Raises what a call raises, and
        `PictureError` with the remedy where the limit cannot be kept.

        >>> upscaler.to_file("photo.jpg", "photo_x4.png", max_memory="2GB")
        (160, 120)
        """
        settings = Settings(**options)
        source, target = Path(source), Path(target)
        check_output(target)
        check_quality(quality)
        if settings.limit is not None and not self._fits(settings, read_header(source)):
            return self._stream(source, target, settings, strip_metadata, quality)
        return upscale_file(self, source, target, strip_metadata=strip_metadata, quality=quality, **options)

    def _fits(self, settings: Settings, header: Header) -> bool:
        try:
            next(self._cuts(IN_MEMORY, settings, header))
        except PictureError:
            return False
        return True

    def _enlarge(self, picture: Picture, settings: Settings) -> Image.Image | Array:
        height, width = picture.pixels.shape[:2]
        header = Header(height, width, picture.channels, picture.dtype.itemsize)
        source = LayersInMemory(picture.layers)

        def enlarge(cut: Cut) -> Array:
            sink = CanvasSink(_canvas(picture, cut.work.target), picture.compose)
            self._paint(cut, source, sink, settings)
            return sink.canvas

        return picture.finish(self._attempt(self._cuts(IN_MEMORY, settings, header), enlarge))

    def _stream(
        self, source: Path, target: Path, settings: Settings, strip_metadata: bool, quality: int | None
    ) -> tuple[int, int]:
        from .pictures import streaming

        streaming.refuse_unless_possible(source, target)
        metadata = streaming.carried_along(source, strip_metadata)
        with streaming.scratch(target) as folder:
            rows = streaming.decode(source, folder / "source", target)
            header = Header(rows.height, rows.width, rows.channels, rows.dtype.itemsize)

            def enlarge(cut: Cut) -> tuple[int, int]:
                width, height = cut.work.target
                result = replace(rows, width=width, height=height)
                with streaming.encoding(target, result, metadata, quality) as stream:
                    sink = StreamSink(stream.write, (width, rows.channels), rows.dtype, rows.template().compose)
                    self._paint(cut, streaming.RowSource(rows), sink, settings)
                return width, height

            return self._attempt(self._cuts(IN_STRIPS, settings, header), enlarge)

    def _cuts(self, way: Way, settings: Settings, header: Header) -> Iterator[Cut]:
        return within(settings.limit, way, cuts(self.manifest, self._sizes, header, settings), settings)

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
                warnings.warn(f"out of memory with {tiles}; going on with {cut.tiles}", RuntimeWarning, stacklevel=4)

    def _paint(self, cut: Cut, source: Source, sink: Sink, settings: Settings) -> None:
        session = self.session(cut.artifact)
        work, scale = cut.work, self.manifest.scale
        if work.reduced:
            sink = ReducingSink(sink, source.count, (work.width * scale, work.height * scale), work.target)
        paint_tiles(
            Engine(session, scale, self._name(cut)),
            source,
            cut.plan,
            sink,
            batch=min(work.batch, session.max_batch or work.batch),
            painters=self._painters,
            progress=settings.progress,
            cancel=settings.cancel,
        )

    def _name(self, cut: Cut) -> str:
        return f"{self.bundle.path}: {cut.artifact.file} on {self.backend}"

    def session(self, artifact: Artifact) -> Session:
        """The engine for a file of the bundle, loaded when it is first asked for. Raises what loading raises."""
        with self._loading:
            sessions = self._sessions
            if sessions is None:
                raise SettingError(f"{self.bundle.path}: this upscaler is closed; load it again")
            if artifact not in sessions:
                sessions[artifact] = self._engine.load(self.bundle, artifact, self._threads)
            return sessions[artifact]


def _canvas(picture: Picture, size: tuple[int, int]) -> Array:
    width, height = size
    try:
        return np.empty((height, width, picture.channels), picture.dtype)
    except MemoryError as error:
        need = height * width * picture.channels * picture.dtype.itemsize / 2**30
        raise PictureError(f"the result of {width}x{height} needs {need:.1f} GiB; crop the picture") from error
