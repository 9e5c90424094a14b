"""Pictures in: a path, a Pillow image or a numpy array becomes float RGB, and the result goes back the way it came.

The network knows RGB in [0, 1] only. What else a picture has is treated so:

* EXIF orientation is applied first; EXIF (without orientation, sizes and thumbnail) and the ICC profile are kept.
* Grey stays grey: it runs as RGB with equal channels, and the luma (BT.601) of the result is returned. 1-bit pictures
  come back as 8-bit grey.
* Palettes, YCbCr, LAB and HSV become RGB. CMYK becomes sRGB, through its own profile where it has one. CMYK and LAB
  lose their profile, which would be wrong for RGB.
* Transparency, also a palette's or a colour key (not of 16-bit grey), becomes an alpha channel. It is enlarged with
  Lanczos, which keeps an opaque picture opaque and draws no texture into a mask. Colour is not premultiplied.
* 16-bit grey ("I;16", or "I" with values up to 65535) stays 16-bit; "F" stays float and must lie in [0, 1]. Pillow
  reads 16-bit RGB files as 8-bit.
* Of a file with several frames the first is used.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .errors import PictureError
from .saving import check_output, save_picture

__all__ = [
    "Array",
    "Floats",
    "ImageLike",
    "Picture",
    "PictureLike",
    "check_output",
    "open_picture",
    "quantise",
    "save_picture",
]

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
ImageLike = str | os.PathLike[str] | Image.Image
PictureLike = ImageLike | Array

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SMALLEST_ALPHA = 1 / 255
"""Below, colour is not told from noise."""

_EIGHT_BIT = {"1": "L", "L": "L", "LA": "LA", "La": "LA"}  # every other 8-bit mode becomes RGB or RGBA
_WITH_ALPHA = {"L": "LA", "LA": "LA", "RGB": "RGBA"}
_NOT_RGB_PROFILE = ("CMYK", "LAB")
_KEPT_EXIF = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)
_STALE_EXIF = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


@dataclass(frozen=True)
class Picture:
    """A picture for the network, and what is needed to give the result back in the same kind.

    `pixels` are float32 RGB [H, W, 3] in [0, 1], `alpha` float32 [H, W] in [0, 1] or None. `dtype` is the result's;
    `ndim` is that of the array given, None for a Pillow image or a path.
    """

    pixels: Floats
    alpha: Floats | None
    dtype: np.dtype[Any]
    grey: bool
    ndim: int | None
    icc_profile: bytes | None = None
    exif: bytes | None = None

    @property
    def layers(self) -> tuple[Floats, ...]:
        """What the network enlarges, each RGB [H, W, 3] in [0, 1]: colour and, where there is any, alpha.

        Colour is premultiplied by alpha, so that what lies under transparent pixels does not bleed into an edge.
        """
        if self.alpha is None:
            return (self.pixels,)
        alpha = self.alpha[..., None]
        return (self.pixels * alpha, np.broadcast_to(alpha, self.pixels.shape))

    @property
    def channels(self) -> int:
        """Of the result: 1 to 4."""
        return (1 if self.grey else 3) + (self.alpha is not None)

    def compose(self, layers: Sequence[Floats]) -> Array:
        """Pixels [h, w, channels] of ``dtype`` from any part of the enlarged ``layers``, each [h, w, 3]."""
        colour = layers[0] @ LUMA[:, None] if self.grey else layers[0]
        if self.alpha is not None:
            alpha = np.clip(layers[1] @ LUMA[:, None], 0, 1)
            colour = np.concatenate([colour / np.maximum(alpha, SMALLEST_ALPHA), alpha], axis=-1)
        return quantise(colour, self.dtype)

    def finish(self, canvas: Array) -> Image.Image | Array:
        """The painted canvas as a Pillow image or array, whichever was given."""
        if self.ndim is not None:
            return canvas[..., 0] if self.ndim == 2 else canvas
        image = Image.fromarray(canvas[..., 0] if canvas.shape[-1] == 1 else canvas)
        info = {"icc_profile": self.icc_profile, "exif": self.exif}
        image.info.update({key: value for key, value in info.items() if value})
        return image


def quantise(values: Floats, dtype: np.dtype[Any]) -> Array:
    """Clip to [0, 1] and bring to `dtype`: unsigned integers span their whole range, rounded to the nearest.

    >>> quantise(np.float32([-0.1, 0.5, 1.0]), np.dtype(np.uint8)).tolist()
    [0, 128, 255]
    """
    clipped = np.clip(values, 0.0, 1.0)
    if dtype.kind == "u":
        clipped *= np.float32(np.iinfo(dtype).max)
        np.rint(clipped, out=clipped)
    return clipped.astype(dtype)


def open_picture(source: PictureLike) -> Picture:
    """Read a path, a Pillow image or an array: [H, W] or [H, W, 1 | 3 | 4], uint8, uint16 or float in [0, 1].

    Raises `PictureError` for whatever is not a whole picture of such a kind.

    >>> open_picture(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_image(source, getattr(source, "filename", "") or "the image")
    if isinstance(source, str | os.PathLike):
        return _from_image(_read_file(Path(source)), str(source))
    raise PictureError(f"cannot use a {type(source).__name__} as a picture; give a path, a PIL.Image or a numpy array")


def _read_file(path: Path) -> Image.Image:
    try:
        if path.is_dir():
            raise PictureError(f"{path}: is a folder; name a picture in it")
        if path.stat().st_size == 0:
            raise PictureError(f"{path}: is empty (0 bytes); get the file again")
        with Image.open(path) as image:
            image.load()
            return image
    except PictureError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"{path}: no such file; check the name") from error
    except PermissionError as error:
        raise PictureError(f"{path}: may not be read; change its permissions") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{path}: is not a picture of a known format; convert it to PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise PictureError(f"{path}: has more than {limit} megapixels; cut it into parts first") from error
    except Exception as error:  # damaged files make decoders raise almost anything
        raise PictureError(f"{path}: is damaged or truncated ({error}); get the file again") from error


def _from_image(image: Image.Image, name: str) -> Picture:
    try:
        image.load()
        image = _orient(image)
        levels = _levels(image, name)
    except PictureError:
        raise
    except Exception as error:  # as above: a lazily opened image is decoded here
        raise PictureError(f"{name}: cannot be decoded ({error}); get the file again") from error
    if levels.size == 0:
        raise PictureError(f"{name}: has no pixels")
    profile = None if image.mode in _NOT_RGB_PROFILE else image.info.get("icc_profile")
    return _picture(levels, None, profile, _kept_exif(image))


def _orient(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF is often malformed; a photo is none the worse for it
        return image


def _levels(image: Image.Image, name: str) -> Array:
    """The pixels as [H, W, 1 to 4] of uint8, uint16 or float32, following the rules at the top."""
    if image.mode == "F":
        levels = np.asarray(image, np.float32)
        return _within_unit(levels, name)[..., None]
    if image.mode.startswith("I"):
        levels = np.asarray(image)
        if levels.size and (levels.min() < 0 or levels.max() > 65535):
            raise PictureError(f"{name}: has values beyond 16 bits; bring them to 0..65535")
        return levels.astype(np.uint16)[..., None]
    mode = _EIGHT_BIT.get(image.mode, "RGB")
    if image.has_transparency_data:
        mode = _WITH_ALPHA[mode]
    image = _cmyk_to_srgb(image) if image.mode == "CMYK" else image.convert(mode)
    levels = np.asarray(image)
    return levels[..., None] if levels.ndim == 2 else levels


def _cmyk_to_srgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    if profile := image.info.get("icc_profile"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImportError, OSError, ValueError, ImageCms.PyCMSError):
            pass  # a damaged profile, or a Pillow without colour management: the plain formula is the next best
    return image.convert("RGB")


def _kept_exif(image: Image.Image) -> bytes | None:
    """EXIF without what no longer holds after enlarging (layout, sizes, orientation, thumbnail)."""
    try:
        old, new = image.getexif(), Image.Exif()
        new.update({tag: old[tag] for tag in _KEPT_EXIF if tag in old})
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if entries := {tag: value for tag, value in old.get_ifd(ifd).items() if tag not in _STALE_EXIF}:
                new[ifd] = entries
        return new.tobytes() if len(new) else None
    except Exception:  # as in _orient
        return None


def _from_array(array: Array) -> Picture:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise PictureError(f"cannot use an array of shape {array.shape}; give [H, W] or [H, W, 1 | 3 | 4]")
    if array.dtype.kind == "f":
        _within_unit(array, "the array")
    elif array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise PictureError(f"cannot use an array of {array.dtype}; give uint8, uint16 or float in [0, 1]")
    return _picture(array[..., None] if array.ndim == 2 else array, array.ndim)


def _within_unit(values: Array, name: str) -> Array:
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # so written, NaN fails too
        raise PictureError(f"{name}: float pixels must be finite and in [0, 1]; divide by the largest value and clip")
    return values


def _picture(levels: Array, ndim: int | None, icc_profile: bytes | None = None, exif: bytes | None = None) -> Picture:
    values = levels.astype(np.float32)
    if levels.dtype.kind == "u":
        values /= np.float32(np.iinfo(levels.dtype).max)
    colours = values.shape[2] - (values.shape[2] in (2, 4))
    return Picture(
        pixels=np.ascontiguousarray(np.broadcast_to(values[..., :colours], (*values.shape[:2], 3))),
        alpha=None if colours == values.shape[2] else np.ascontiguousarray(values[..., -1]),
        dtype=levels.dtype,
        grey=colours == 1,
        ndim=ndim,
        icc_profile=icc_profile,
        exif=exif,
    )
