"""A loaded bundle that enlarges pictures."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import overload

import numpy as np
from PIL import Image

from .backends import Session, open_session
from .bundle import Bundle
from .errors import BackendError, PictureError, SettingError
from .manifest import Manifest
from .pictures import Array, Floats, ImageLike, Picture, PictureLike, open_picture
from .tiling import cut_tile, kept_part, plan_tiles, round_up

Progress = Callable[[int, int], None]

# How many pixels a seam keeps clear of inner tile edges.
SEAMS: Mapping[str, Callable[[Manifest], int]] = {
    "fast": lambda manifest: manifest.effective_radius,
    "exact": lambda manifest: manifest.receptive_radius,
}

WARMUP_SIDE = 64


class Upscaler:
    """Enlarges pictures with one file of a bundle. Deterministic; may be used by several threads at once.

    Raises `BundleError` or `BackendError` where the bundle has no usable file for the request.

    >>> with runtime.load() as upscaler:  # doctest: +SKIP
    ...     big = upscaler("photo.jpg")
    """

    def __init__(
        self, bundle: Bundle, *, backend: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = bundle
        self.manifest = bundle.manifest
        opened = open_session(bundle, backend, precision, threads)
        self.artifact = opened.choice.artifact
        self.backend = opened.choice.backend.name
        self._session: Session | None = opened.session

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine; calls already under way finish."""
        self._session = None

    def warmup(self) -> None:
        """Run a small blank picture, so that the first real one does not pay for the engine's preparations.

        >>> upscaler.warmup()  # doctest: +SKIP
        """
        side = self.artifact.tile or round_up(WARMUP_SIDE, self.manifest.align)
        self._open_session().run(np.zeros((1, 3, side, side), np.float32))

    @overload
    def __call__(
        self, image: Array, *, tile: int | None = ..., seam: str = ..., progress: Progress | None = ...
    ) -> Array: ...

    @overload
    def __call__(
        self, image: ImageLike, *, tile: int | None = ..., seam: str = ..., progress: Progress | None = ...
    ) -> Image.Image: ...

    def __call__(
        self, image: PictureLike, *, tile: int | None = None, seam: str = "fast", progress: Progress | None = None
    ) -> Image.Image | Array:
        """Enlarge a path, `PIL.Image` or array [H, W] or [H, W, 1 | 3 | 4] by the bundle's scale, to the same kind.

        A path gives a `PIL.Image`. `tile` is the side of a tile in pixels of `image`, None chooses. `seam="exact"` cuts
        tiles so that they equal the whole picture, "fast" so that the difference cannot be seen. `progress(done,
        total)` is called after each tile; an exception from it ends the work. Raises `PictureError`, `SettingError`,
        `TileError` or `BackendError`.

        >>> upscaler(np.zeros((30, 40, 3), np.uint8)).shape  # doctest: +SKIP
        (120, 160, 3)
        """
        session = self._open_session()
        if seam not in SEAMS:
            raise SettingError(f"seam={seam}: unknown; choose one of {', '.join(SEAMS)}")
        picture = open_picture(image)
        scale = self.manifest.scale
        plan = plan_tiles(
            picture.pixels.shape[0],
            picture.pixels.shape[1],
            align=self.manifest.align,
            radius=SEAMS[seam](self.manifest),
            tile=tile,
            fixed=self.artifact.tile,
        )
        canvas = self._canvas(picture)
        tiles = plan.tiles
        for done, (row, column) in enumerate(tiles, start=1):
            batch = np.concatenate([cut_tile(layer, row, column) for layer in picture.layers])
            result = np.concatenate([session.run(layer[None]) for layer in batch])
            where = f"tile {done} of {len(tiles)} (x={column.start}, y={row.start})"
            self._check(result, (len(batch), 3, batch.shape[2] * scale, batch.shape[3] * scale), where)
            parts = [kept_part(layer[None], row, column, scale) for layer in result]
            canvas[parts[0][0], parts[0][1]] = picture.compose([values for _, _, values in parts])
            if progress is not None:
                progress(done, len(tiles))
        return picture.finish(canvas)

    def _canvas(self, picture: Picture) -> Array:
        height, width = (side * self.manifest.scale for side in picture.pixels.shape[:2])
        try:
            return np.empty((height, width, picture.channels), picture.dtype)
        except MemoryError as error:
            need = height * width * picture.channels * picture.dtype.itemsize / 2**30
            raise PictureError(f"the result of {width}x{height} needs {need:.1f} GiB; crop the picture") from error

    def _open_session(self) -> Session:
        if self._session is None:
            raise SettingError(f"{self.bundle.path}: this upscaler is closed; load it again")
        return self._session

    def _check(self, result: Floats, shape: tuple[int, ...], where: str) -> None:
        model = f"{self.bundle.path}: {self.artifact.file} on {self.backend}"
        if result.shape != shape:
            raise BackendError(f"{model} gave {result.shape} instead of {shape} for {where}; the bundle is faulty")
        if not np.isfinite(result).all():
            raise BackendError(f"{model} gave NaN or infinite values in {where}; try another precision or backend")
