"""Pillow images as arrays, and what else of them is to be kept. The head of `picture` says what becomes what."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError, one_line
from .colour import to_srgb
from .metadata import Metadata, orientation, read_metadata, turned

Array = npt.NDArray[Any]

_EIGHT_BIT = {"1": "L", "L": "L", "LA": "LA", "La": "LA"}  # every other 8-bit mode becomes RGB or RGBA
_WITH_ALPHA = {"L": "LA", "LA": "LA", "RGB": "RGBA"}


class Decoded(NamedTuple):
    """Pixels [H, W, 1 to 4] of uint8, uint16 or float32 in [0, 1], upright, and what belongs to them.

    Channels are grey, grey and alpha, RGB, or RGBA.
    """

    levels: Array
    metadata: Metadata


def decode_image(image: Image.Image, name: str) -> Decoded:
    """The pixels of a Pillow image, whether it is loaded or not; ``name`` stands in messages. Raises `PictureError`."""
    try:
        image.load()
        levels = _levels(image, name)
        if levels.size == 0:
            raise PictureError(f"{name}: has no pixels")
        metadata = read_metadata(image, grey=levels.shape[2] < 3, name=name)
        return Decoded(turned(levels, orientation(image)), metadata)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{name}: there is too little memory to open it; crop or reduce it") from error
    except Exception as error:  # a lazily opened image is decoded here, and damage makes decoders raise almost anything
        raise PictureError(f"{name}: cannot be decoded ({one_line(error)}); get the file again") from error


def _levels(image: Image.Image, name: str) -> Array:
    """The pixels of a loaded image, by the rules at the head of `picture`."""
    if image.mode == "F":
        return within_unit(np.asarray(image, np.float32), name)[..., None]
    if image.mode.startswith("I"):
        return _sixteen_bit(image, name)
    mode = _EIGHT_BIT.get(image.mode, "RGB")
    if image.has_transparency_data:
        mode = _WITH_ALPHA[mode]
    is_cmyk = image.mode == "CMYK"
    image = to_srgb(image, image.info.get("icc_profile")) if is_cmyk else image.convert(mode)
    levels = np.asarray(image)
    return levels[..., None] if levels.ndim == 2 else levels


def _sixteen_bit(image: Image.Image, name: str) -> Array:
    levels = np.asarray(image)
    if levels.size and (levels.min() < 0 or levels.max() > 65535):
        raise PictureError(f"{name}: has values beyond 16 bits; bring them to 0..65535")
    levels = levels.astype(np.uint16)
    key = image.info.get("transparency")
    if isinstance(key, int):
        return np.stack([levels, np.where(levels == key, 0, 65535).astype(np.uint16)], axis=-1)
    return levels[..., None]


def within_unit(values: Array, name: str) -> Array:
    """``values`` if they are all in [0, 1]. Raises `PictureError` otherwise."""
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # so written, NaN fails too
        raise PictureError(f"{name}: float pixels must be finite and in [0, 1]; divide by the largest value and clip")
    return values
