"""Pictures out: the format by suffix, complete or not at all."""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from ..atomic import replacing
from ..errors import PictureError, PictureWarning, SettingError, one_line
from .colour import to_srgb
from .depth import write_deep
from .formats import FORMATS, Format
from .metadata import Metadata, metadata_of_result
from .optional import INSTALL, REQUIREMENTS, has_pyvips
from .picture import as_image, to_8_bit

Array = npt.NDArray[Any]


_GREY = ("1", "L", "LA", "La", "I;16", "F")


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
    form = FORMATS[path.suffix.lower()]
    if not is_installed(form):
        raise PictureError(f"{path}: {REQUIREMENTS[form.name].remedy}")
    return form


def is_installed(form: Format) -> bool:
    """Whether what writes this format is here; Pillow alone does not write all."""
    return form.name not in REQUIREMENTS or REQUIREMENTS[form.name].is_met()


def check_quality(quality: int | None) -> None:
    """Raise `SettingError` unless `quality` is None or 1 to 100."""
    if quality is not None and quality not in range(1, 101):
        raise SettingError(f"quality={quality}: is not in 1..100; leave it out for the format's own")


def save_picture(picture: Image.Image, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Save a picture in the format its suffix names, with the EXIF, XMP and ICC profile it carries, replacing `path`.

    `quality`, 1 to 100, is that of JPEG, WebP, AVIF and HEIC; None takes 95 for the first two and 90 for the others.
    A mode that the format cannot hold is brought to 8 bits; colours in a profile that it cannot hold are brought to
    sRGB; an alpha channel is dropped only if it is opaque. The file appears complete or not at all. Raises
    `PictureError` or `SettingError`.

    >>> save_picture(runtime.upscale("photo.jpg"), "photo_x4.png")
    """
    path = Path(path)
    form = check_output(path)
    check_quality(quality)
    write_picture(picture, form, path, quality)


def write_picture(picture: Image.Image, form: Format, path: Path, quality: int | None) -> None:
    """Save as `save_picture` does, in a format and quality that were checked. Raises `PictureError`."""
    check_size(picture.size, form, path)
    fitted = fit(picture, form, path)
    with written(path) as draft:
        fitted.save(draft, form.name, **save_options(form, fitted, metadata_of_result(picture), quality, path))


def write_levels(levels: Array, metadata: Metadata, form: Format, path: Path, quality: int | None) -> None:
    """Save pixels [H, W, 1 to 4] (grey, grey and alpha, RGB, RGBA) of uint8, uint16 or float32 in [0, 1].

    As `write_picture`, but 16-bit colour stays so where the format holds it; without pyvips it is reduced, with a
    `PictureWarning`. Raises `PictureError`.
    """
    if levels.dtype == np.uint16 and levels.shape[2] > 1:
        if form.deep and has_pyvips():
            check_size(levels.shape[1::-1], form, path)
            with written(path) as draft:
                write_deep(levels, draft, form, metadata)
            return
        if form.deep:
            message = (
                f"{path}: saved with 8 bits a channel instead of 16; get pyvips, which keeps them, with: {INSTALL}"
            )
            warnings.warn(message, PictureWarning, stacklevel=2)
        levels = to_8_bit(levels)
    write_picture(as_image(levels, metadata), form, path, quality)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A draft that takes the place of `path`; what goes wrong in writing it is a `PictureError`."""
    try:
        with replacing(path) as draft:
            yield draft
    except MemoryError as error:
        raise PictureError(f"{path}: there is too little memory to write it; nothing was saved") from error
    except Exception as error:  # encoders raise almost anything over metadata that they do not like
        raise PictureError(f"{path}: cannot be written ({one_line(error)}); nothing was saved") from error


def check_size(size: tuple[int, ...], form: Format, path: Path, pixel_bytes: int = 0) -> None:
    """Raise `PictureError` where a picture of width and height `size` is too large for the format.

    `pixel_bytes` of a pixel count where pixels are written as they are.
    """
    if max(size) > form.longest:
        raise PictureError(f"{path}: {form.name} holds at most {form.longest} pixels a side; save as .png")
    if math.prod(size) > form.most_pixels:
        raise PictureError(f"{path}: {form.name} holds at most {form.most_pixels // 10**6} megapixels; save as .png")
    if math.prod(size) * pixel_bytes > form.most_bytes:
        raise PictureError(f"{path}: a {form.name} holds at most {round(form.most_bytes / 2**30)} GB; save as .png")


def fit(picture: Image.Image, form: Format, path: Path) -> Image.Image:
    """`picture` in a mode that the format holds, and in sRGB, without its profile, where that cannot be kept.

    Raises `PictureError` where transparency would be lost.
    """
    if picture.mode in ("I;16", "F") and picture.mode not in form.modes:
        picture = as_image(to_8_bit(np.asarray(picture)[..., None]), metadata_of_result(picture))
    if not form.alpha and _is_clear(picture):
        raise PictureError(f"{path}: {form.name} cannot hold transparency; save as .png")
    mode = picture.mode if picture.mode in form.modes else _fitting_mode(picture, form)
    same_colours = (mode in _GREY) == (picture.mode in _GREY) and "icc_profile" in form.metadata
    profile = picture.info.get("icc_profile")
    if profile and not same_colours:
        picture = to_srgb(picture, profile)
    fitted = picture if picture.mode == mode else picture.convert(mode)
    return _hard_edged(fitted) if form.palette and mode == "RGBA" else fitted


def save_options(
    form: Format, fitted: Image.Image, metadata: Metadata, quality: int | None, path: Path
) -> dict[str, Any]:
    """What Pillow's `save` is to be given for a picture that `fit` has fitted."""
    kept = {name: value for name, value in metadata.info().items() if name in form.metadata}
    for name in ("exif", "xmp"):
        if len(kept.get(name, b"")) > form.longest_segment:
            message = f"{path}: its {name.upper()} is longer than {form.name} can hold and was left out; save as .png"
            warnings.warn(message, PictureWarning, stacklevel=3)
            del kept[name]
    options = dict(form.options) | {"icc_profile": fitted.info.get("icc_profile")}
    if form.quality is not None:
        options["quality"] = form.quality if quality is None else quality
    return options | _METADATA_OPTIONS.get(form.name, _by_name)(kept.get("exif"), kept.get("xmp"))


def _is_clear(picture: Image.Image) -> bool:
    """Whether something of it is transparent."""
    return picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def _fitting_mode(picture: Image.Image, form: Format) -> str:
    if picture.has_transparency_data and form.alpha:
        return "RGBA"
    return "L" if picture.mode in _GREY and "L" in form.modes else "RGB"


def _hard_edged(picture: Image.Image) -> Image.Image:
    """Each pixel opaque or clear: a GIF knows no other transparency."""
    picture = picture.copy()
    picture.putalpha(picture.getchannel("A").point(lambda alpha: 255 * (alpha > 127)))
    return picture


def _by_name(exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
    return {name: value for name, value in (("exif", exif), ("xmp", xmp)) if value}


def _in_png(exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
    chunks = PngInfo()
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return {"pnginfo": chunks} | _by_name(exif, None)


def _in_tiff(exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
    directory = Image.Exif()
    if exif:
        directory.load(exif)
    if xmp:
        directory[ExifTags.Base.XMLPacket] = xmp
    return {"exif": directory.tobytes()} if len(directory) else {}


_METADATA_OPTIONS = {"PNG": _in_png, "TIFF": _in_tiff}
"""How Pillow is given EXIF and XMP, where not as options of these names."""
