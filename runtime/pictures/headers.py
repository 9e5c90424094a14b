"""How large a picture is, found out without decoding it."""

import os
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from .picture import PictureLike, open_picture

_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""


@dataclass(frozen=True)
class Header:
    """Height and width, upright; 1 to 4 channels of `itemsize` bytes."""

    height: int
    width: int
    channels: int
    itemsize: int


def read_header(source: PictureLike) -> Header:
    """The header of what `open_picture` takes. Raises `PictureError` where not even that can be read.

    >>> read_header(np.zeros((2, 3), np.uint8))
    Header(height=2, width=3, channels=1, itemsize=1)
    """
    if isinstance(source, Image.Image):
        return _of_image(source)
    if isinstance(source, str | os.PathLike):
        try:
            with Image.open(source) as image:
                return _of_image(image)
        except Exception:  # what is wrong is told by opening it
            pass
    picture = open_picture(source)
    height, width = picture.pixels.shape[:2]
    return Header(height, width, picture.channels, np.dtype(picture.dtype).itemsize)


def _of_image(image: Image.Image) -> Header:
    width, height = image.size
    if image.getexif().get(ExifTags.Base.Orientation) in _TURNED:
        width, height = height, width
    grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    itemsize = 4 if image.mode == "F" else 2 if image.mode.startswith("I") else 1
    return Header(height, width, (1 if grey else 3) + image.has_transparency_data, itemsize)
