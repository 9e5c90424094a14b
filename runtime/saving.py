"""Pictures out: the format by suffix, complete or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .atomic import replacing
from .errors import PictureError


@dataclass(frozen=True)
class Format:
    """A file format: Pillow's name, the modes it can hold, the longest side in pixels, and how to write it."""

    name: str
    modes: tuple[str, ...]
    longest: int = 2**31 - 1
    options: Mapping[str, Any] = field(default_factory=dict)


# 4:4:4 keeps the colour edges that the network has just sharpened.
_JPEG = Format("JPEG", ("L", "RGB"), 65500, {"quality": 95, "subsampling": 0})
# Uncompressed: Pillow cannot write EXIF together with libtiff's compressions.
_TIFF = Format("TIFF", ("L", "LA", "RGB", "RGBA", "I;16", "F"))

FORMATS: Mapping[str, Format] = {
    ".png": Format("PNG", ("L", "LA", "RGB", "RGBA", "I;16")),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format("WEBP", ("RGB", "RGBA"), 16383, {"quality": 95}),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": Format("BMP", ("L", "RGB")),
}

_COLOUR = {"L": "grey", "LA": "grey", "I;16": "grey", "F": "grey", "RGB": "rgb", "RGBA": "rgb"}


def check_output(path: str | os.PathLike[str]) -> Format:
    """The format in which `path` would be saved; raises `PictureError` where it cannot be. Best asked before the work.

    >>> check_output("big.jpg").name
    'JPEG'
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise PictureError(f"{path}: unknown picture suffix {path.suffix!r}; use one of {' '.join(FORMATS)}")
    if path.is_dir():
        raise PictureError(f"{path}: is a folder; choose a file name")
    if not path.parent.is_dir():
        raise PictureError(f"{path}: its folder does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise PictureError(f"{path}: its folder is not writable; choose another")
    return FORMATS[path.suffix.lower()]


def save_picture(picture: Image.Image, path: str | os.PathLike[str]) -> None:
    """Save a picture in the format its suffix names, with the EXIF and ICC profile it carries, replacing `path`.

    JPEG is written at quality 95, 4:4:4. A mode that the format cannot hold is brought to 8 bits; an alpha channel is
    dropped only if it is opaque. The file appears complete or not at all. Raises `PictureError`.

    >>> save_picture(runtime.upscale("photo.jpg"), "photo_x4.png")
    """
    path = Path(path)
    form = check_output(path)
    if max(picture.size) > form.longest:
        raise PictureError(f"{path}: {form.name} holds at most {form.longest} pixels a side; save as .png")
    fitted = _fit(picture, form, path)
    options = dict(form.options)
    if picture.info.get("exif"):
        options["exif"] = picture.info["exif"]
    same_colours = fitted is picture or _COLOUR.get(fitted.mode) == _COLOUR.get(picture.mode)
    options["icc_profile"] = picture.info.get("icc_profile") if same_colours else None
    try:
        with replacing(path) as draft:
            fitted.save(draft, form.name, **options)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path}: cannot be written ({reason}); nothing was saved") from error


def _fit(picture: Image.Image, form: Format, path: Path) -> Image.Image:
    if picture.mode in form.modes:
        return picture
    if picture.mode in ("I;16", "F"):
        peak = 65535.0 if picture.mode == "I;16" else 1.0
        levels = np.clip(np.asarray(picture, np.float32) / peak, 0, 1) * 255
        picture = Image.fromarray(np.rint(levels).astype(np.uint8))
    elif picture.has_transparency_data:
        alpha = picture.convert("RGBA")
        if "RGBA" in form.modes:
            return alpha
        if alpha.getchannel("A").getextrema() != (255, 255):
            raise PictureError(f"{path}: {form.name} cannot hold transparency; save as .png")
    grey = picture.mode in ("1", "L", "LA") and "L" in form.modes
    return picture.convert("L" if grey else "RGB")
