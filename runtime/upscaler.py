"""A loaded bundle that enlarges pictures."""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Unpack, overload

import numpy as np
from PIL import Image

from .backends import Session, open_session
from .bundle import Bundle
from .enlarging import Enlarger
from .errors import SettingError
from .job import Output, run
from .manifest import Artifact
from .pictures.picture import Array, ImageLike, Picture, PictureLike, open_picture, shape_of
from .settings import Options, Settings
from .tiles.running import run_ahead
from .tiles.tile_sizes import TileSizes
from .tiles.tiling import round_up

WARMUP_SIDE = 64
PAINTERS = 4
"""Threads that bring an engine's floats to pixels, at most; with one, that alone is 5 % of what INT8 takes."""


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
        self._threads = threads
        self._sizes = TileSizes.of(self.manifest, self.artifact, self._engine.offers(self.manifest))
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
            self._enlarger.check_fits(shape_of(image), settings)
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
        return run(Path(source), Output.of(Path(target), quality, strip_metadata), settings, self._enlarger)

    @property
    def _enlarger(self) -> Enlarger:
        return Enlarger(self.bundle, self.backend, self._sizes, self.session, self._painters)

    def _enlarge(self, picture: Picture, settings: Settings) -> Image.Image | Array:
        return picture.finish(self._enlarger.in_memory(picture, settings))

    def session(self, artifact: Artifact) -> Session:
        """The engine for a file of the bundle, loaded when it is first asked for. Raises what loading raises."""
        with self._loading:
            sessions = self._sessions
            if sessions is None:
                raise SettingError(f"{self.bundle.path}: this upscaler is closed; load it again")
            if artifact not in sessions:
                sessions[artifact] = self._engine.load(self.bundle, artifact, self._threads)
            return sessions[artifact]
