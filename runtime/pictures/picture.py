"""Pictures in: a path, a Pillow image or a numpy array becomes float RGB, and the result goes back the way it came.

The network knows RGB in [0, 1] only. What else a picture has is treated so (docs/pictures.md has it in tables):

* EXIF orientation is applied first; ICC profile, EXIF and XMP go with the picture.
* Grey stays grey: it runs as RGB with equal channels, and the luma (BT.601) of the result is returned. 1-bit pictures
  come back as 8-bit grey.
* Palettes, YCbCr, LAB and HSV become RGB. CMYK becomes sRGB, through its own profile where it has one. Numbers in any
  RGB or grey profile go through the network as they are (`colour` says why).
* Transparency, also a palette's or a colour key, becomes an alpha channel, and goes through the network as a second
  picture. Where all of a picture is equally opaque it stays exactly so, and the network is spared.
* 16-bit grey ("I;16", or "I" with values up to 65535) stays 16-bit; "F" stays float and must lie in [0, 1]. 16-bit
  colour of a file needs pyvips (`depth`): without it, it is read as 8-bit, with a warning.
* Of a file with several frames the first is used, with a warning; `frames` has them all.
"""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError, PictureWarning
from ..shape import Shape
from .decoding import decode_image, within_unit
from .metadata import Metadata
from .picture_file import PictureFile, decode_file, shape_of_image

__all__ = [
    "Array",
    "Floats",
    "ImageLike",
    "Picture",
    "PictureLike",
    "as_image",
    "open_picture",
    "open_rows",
    "picture_of_levels",
    "quantise",
    "shape_of",
    "to_8_bit",
]

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
ImageLike = str | os.PathLike[str] | Image.Image
PictureLike = ImageLike | Array

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
NO_ALPHA = 2.5 / 255
"""What is no more opaque, or transparent, than this is not so at all: the network's zero can be 2 levels."""


@dataclass(frozen=True)
class Picture:
    """A picture for the network, and what is needed to give the result back in the same kind.

    `pixels` are float32 RGB [H, W, 3] in [0, 1]. `alpha` is None without an alpha channel, a number in [0, 1] where
    that is the same everywhere, else float32 [H, W] in [0, 1]. `dtype` is the result's; `ndim` is that of the array
    given, None for a Pillow image or a path.
    """

    pixels: Floats
    alpha: Floats | float | None
    dtype: np.dtype[Any]
    grey: bool
    ndim: int | None
    metadata: Metadata

    @cached_property
    def layers(self) -> tuple[Floats, ...]:
        """What the network enlarges, each RGB [H, W, 3] in [0, 1]: colour and, where it varies, alpha.

        Colour is premultiplied by alpha, so that what lies under transparent pixels does not bleed into an edge.
        """
        if not isinstance(self.alpha, np.ndarray):
            return (self.pixels,)
        alpha = self.alpha[..., None]
        return (self.pixels * alpha, np.broadcast_to(alpha, self.pixels.shape))

    @property
    def shape(self) -> Shape:
        """Of the picture; its channels and dtype are also the result's."""
        height, width = self.pixels.shape[:2]
        return Shape(height, width, (1 if self.grey else 3) + (self.alpha is not None), self.dtype)

    def compose(self, layers: Sequence[Floats]) -> Array:
        """Pixels [h, w, channels] of ``dtype`` from any part of the enlarged ``layers``, each [h, w, 3]."""
        colour = layers[0] @ LUMA[:, None] if self.grey else layers[0]
        if isinstance(self.alpha, np.ndarray):
            alpha = _snapped(layers[1] @ LUMA[:, None])
            # Under no alpha there is no colour: what the network leaves there is noise, made large by the division.
            colour = np.where(alpha > 0, colour / np.maximum(alpha, NO_ALPHA), 0)
            colour = np.concatenate([colour, alpha], axis=-1)
        elif self.alpha is not None:
            constant = np.full((*colour.shape[:2], 1), self.alpha, np.float32)
            colour = np.concatenate([colour, constant], axis=-1)
        return quantise(colour, self.dtype)

    def finish(self, canvas: Array) -> Image.Image | Array:
        """The painted canvas [H, W, channels] as a Pillow image or array, whichever the picture was."""
        if self.ndim is None:
            return self.as_image(canvas)
        return canvas[..., 0] if self.ndim == 2 else canvas

    def as_image(self, canvas: Array) -> Image.Image:
        """The painted canvas [H, W, channels] as a Pillow image that carries the metadata.

        Pillow has no 16-bit colour: that is reduced to 8 bits, with a `PictureWarning`.
        """
        if canvas.dtype == np.uint16 and canvas.shape[-1] > 1:
            message = "a PIL.Image holds no 16-bit colour, so the result has 8 bits; Upscaler.to_file keeps all 16"
            warnings.warn(message, PictureWarning, stacklevel=5)
            canvas = to_8_bit(canvas)
        return as_image(canvas, self.metadata)


def as_image(canvas: Array, metadata: Metadata) -> Image.Image:
    """Pixels [H, W, 1 to 4], of a kind that Pillow has, as an image that carries ``metadata``."""
    image = Image.fromarray(canvas[..., 0] if canvas.shape[-1] == 1 else canvas)
    image.info.update(metadata.info())
    return image


def to_8_bit(levels: Array) -> Array:
    """uint16, or float in [0, 1], as uint8, rounded to the nearest.

    >>> to_8_bit(np.array([0, 128, 129, 65535], np.uint16)).tolist()
    [0, 0, 1, 255]
    """
    return quantise(_to_unit(levels), np.dtype(np.uint8))


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
    """Read a path, a Pillow image or an array: [H, W] or [H, W, 1 to 4], uint8, uint16 or float in [0, 1].

    Channels of an array are grey, grey and alpha, RGB, or RGBA. Raises `PictureError` for whatever is not a whole
    picture of such a kind.

    >>> open_picture(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        levels, metadata = decode_image(source, getattr(source, "filename", "") or "the image")
    elif isinstance(source, str | os.PathLike):
        levels, metadata = decode_file(Path(source))
    else:
        kind = type(source).__name__
        raise PictureError(f"cannot use a {kind} as a picture; give a path, a PIL.Image or a numpy array")
    return picture_of_levels(levels, None, metadata)


def shape_of(source: PictureLike) -> Shape:
    """The shape that `open_picture` will find, of files and images without decoding them. Raises `PictureError`.

    >>> shape_of(np.zeros((2, 3), np.uint8))
    Shape(height=2, width=3, channels=1, dtype=dtype('uint8'))
    """
    if isinstance(source, Image.Image):
        return shape_of_image(source)
    if isinstance(source, str | os.PathLike):
        with PictureFile(Path(source)) as file:
            return file.shape
    return open_picture(source).shape


def open_rows(levels: Array) -> Picture:
    """Some rows [h, W, 1 to 4] of a larger picture, as `open_picture` has an array of them.

    But an alpha channel is always a layer, though it be the same in these rows: it may vary in others.

    >>> len(open_rows(np.zeros((2, 3, 4), np.uint8)).layers)
    2
    """
    picture = open_picture(levels)
    if picture.alpha is None:
        return picture
    return replace(picture, alpha=np.broadcast_to(np.float32(picture.alpha), levels.shape[:2]))


def _from_array(array: Array) -> Picture:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)) or array.size == 0:
        raise PictureError(f"cannot use an array of shape {array.shape}; give [H, W] or [H, W, 1 to 4]")
    if array.dtype.kind == "f":
        within_unit(array, "the array")
    elif array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise PictureError(f"cannot use an array of {array.dtype}; give uint8, uint16 or float in [0, 1]")
    return picture_of_levels(array[..., None] if array.ndim == 2 else array, array.ndim, Metadata())


def picture_of_levels(levels: Array, ndim: int | None, metadata: Metadata) -> Picture:
    """Levels as `decode_image` gives them; `ndim` is as in `Picture`. Raises `PictureError` for lack of memory."""
    colours = levels.shape[2] - (levels.shape[2] in (2, 4))
    try:
        values = _to_unit(levels)
        pixels = np.ascontiguousarray(np.broadcast_to(values[..., :colours], (*values.shape[:2], 3)))
        alpha = None if colours == levels.shape[2] else _alpha(values[..., -1])
    except MemoryError as error:
        size = f"{levels.shape[1]}x{levels.shape[0]}"
        raise PictureError(f"there is too little memory for a picture of {size}; crop or reduce it") from error
    return Picture(pixels, alpha, levels.dtype, grey=colours == 1, ndim=ndim, metadata=metadata)


def _to_unit(levels: Array) -> Floats:
    values = levels.astype(np.float32)
    if levels.dtype.kind == "u":
        values /= np.float32(np.iinfo(levels.dtype).max)
    return values


def _alpha(values: Floats) -> Floats | float:
    return float(values[0, 0]) if (values == values[0, 0]).all() else np.ascontiguousarray(values)


def _snapped(alpha: Floats) -> Floats:
    alpha = np.clip(alpha, 0, 1)
    alpha[alpha < NO_ALPHA] = 0
    alpha[alpha > 1 - NO_ALPHA] = 1
    return alpha
