"""Enlarge pictures four times on your own device.

>>> import runtime
>>> runtime.upscale("photo.jpg").save("photo_x4.png")

Importing this costs numpy and Pillow; an engine is imported when a bundle is loaded.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Unpack, overload

from PIL import Image

from .backends import Status, statuses
from .bundle import Bundle, read_bundle
from .errors import (
    BackendError,
    BackendWarning,
    BundleError,
    Cancelled,
    OutOfMemoryError,
    PictureError,
    PictureWarning,
    SettingError,
    TadsrError,
    TileError,
)
from .pictures.picture import Array, ImageLike, PictureLike
from .pictures.saving import save_picture
from .settings import Options
from .upscaler import Upscaler

__all__ = [
    "DEFAULT_BUNDLE",
    "BackendError",
    "BackendWarning",
    "Bundle",
    "BundleError",
    "Cancelled",
    "Options",
    "OutOfMemoryError",
    "PictureError",
    "PictureWarning",
    "SettingError",
    "Status",
    "TadsrError",
    "TileError",
    "Upscaler",
    "backends",
    "load",
    "read_bundle",
    "save_picture",
    "upscale",
]

DEFAULT_BUNDLE = Path(__file__).parent / "models" / "mobile.tadsr"


def load(
    bundle: str | os.PathLike[str] | None = None,
    *,
    backend: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> Upscaler:
    """Load a bundle folder or zip, by default the one that comes with tadsr, for many pictures.

    `backend` and `precision` "auto" take the first engine of `backends()` that is here and the file that the bundle's
    measurements advise for it; what is named is never replaced by another. `threads` None leaves the number to the
    engine. Raises `BundleError` or `BackendError`; warns with `BackendWarning` where an engine that "auto" chose does
    not load and the next one takes its place.

    >>> with runtime.load("photo.tadsr", precision="fp32", threads=2) as upscaler:
    ...     pictures = list(upscaler.many(["photo.jpg", "photo.jpg"]))
    """
    if bundle is None and not DEFAULT_BUNDLE.exists():
        raise BundleError(f"{DEFAULT_BUNDLE}: the default bundle is not installed; reinstall tadsr or name a bundle")
    return Upscaler(read_bundle(bundle or DEFAULT_BUNDLE), backend=backend, precision=precision, threads=threads)


@lru_cache(maxsize=2)
def _load_default(backend: str, precision: str, threads: int | None) -> Upscaler:
    return load(backend=backend, precision=precision, threads=threads)


@overload
def upscale(
    image: Array,
    *,
    bundle: str | os.PathLike[str] | None = ...,
    backend: str = ...,
    precision: str = ...,
    threads: int | None = ...,
    **options: Unpack[Options],
) -> Array: ...


@overload
def upscale(
    image: ImageLike,
    *,
    bundle: str | os.PathLike[str] | None = ...,
    backend: str = ...,
    precision: str = ...,
    threads: int | None = ...,
    **options: Unpack[Options],
) -> Image.Image: ...


def upscale(
    image: PictureLike,
    *,
    bundle: str | os.PathLike[str] | None = None,
    backend: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    **options: Unpack[Options],
) -> Image.Image | Array:
    """Enlarge one picture four times. A path or `PIL.Image` gives a `PIL.Image`, an array an array of the same dtype.

    The default bundle stays loaded between calls; for many pictures with another one, use `load`. See `load` and
    `Upscaler.__call__` for shapes, ranges, settings and errors, all of which are `TadsrError`.

    >>> runtime.upscale(np.zeros((30, 40, 3), np.uint8)).shape
    (120, 160, 3)
    """
    if bundle is None:
        return _load_default(backend, precision, threads)(image, **options)
    with load(bundle, backend=backend, precision=precision, threads=threads) as upscaler:
        return upscaler(image, **options)


def backends(bundle: str | os.PathLike[str] | None = None) -> dict[str, Status]:
    """Every engine there is a backend for, and whether it can run the bundle here; None is the one that comes along.

    In the order in which `backend="auto"` asks them. Raises `BundleError`.

    >>> runtime.backends()["onnx"].available
    True
    """
    return statuses(read_bundle(bundle or DEFAULT_BUNDLE).manifest)
