"""Colour of 16 bits a channel, which Pillow reads as 8 and cannot write: PNG and TIFF, through pyvips."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError, one_line
from .formats import BY_NAME, VIPS_FIELDS, Format
from .metadata import Metadata
from .optional import has_pyvips

Array = npt.NDArray[Any]


_HEIF_DEPTH = b"pixi\0\0\0\0"
_HEIF_HEAD = 4096


def has_deep_colour(image: Image.Image) -> bool:
    """Whether a file holds more bits a channel than Pillow will read of it. To be asked before `load`."""
    if image.mode.startswith(("I", "F")):
        return False
    if image.info.get("bit_depth", 8) > 8:  # HEIC
        return True
    if image.format == "AVIF":
        return _heif_depth(image) > 8
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def can_read_deep(image: Image.Image) -> bool:
    """Whether `read_deep` can read the file that Pillow opened as ``image``."""
    return image.format in BY_NAME and BY_NAME[image.format].deep and has_pyvips()


def read_deep(path: Path, form: str) -> Array:
    """The pixels of a 16-bit file that `can_read_deep`, `form` by Pillow's name: uint16 [H, W, 1 to 4] as they lie.

    Raises `PictureError` where libvips does not read the file as such.
    """
    import pyvips

    try:
        image = getattr(pyvips.Image, f"{form.lower()}load_buffer")(path.read_bytes(), fail_on="truncated")
        if image.format != "ushort" or image.interpretation not in ("rgb16", "grey16") or image.bands > 4:
            raise PictureError(
                f"{path}: has colours of a kind ({image.interpretation}) unknown here; convert it to RGB"
            )
        return image.numpy().reshape(image.height, image.width, image.bands)
    except pyvips.Error as error:
        raise PictureError(f"{path}: is damaged or truncated ({one_line(error)}); get the file again") from error


def write_deep(levels: Array, path: Path, form: Format, metadata: Metadata) -> None:
    """Write uint16 pixels [H, W, 2 to 4] with their metadata, in a format that is `deep`, by pyvips.

    Raises `OSError`.
    """
    import pyvips

    vips = form.vips
    if vips is None or vips.deep is None:
        raise ValueError(f"{form.name} holds no 16-bit colour")
    if levels.shape[2] in vips.deep_channels:
        levels = levels[..., vips.deep_channels[levels.shape[2]]]
        metadata = replace(metadata, icc_profile=None)  # it was one for other colours
    height, width, bands = levels.shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(levels).data, width, height, bands, "ushort")
    image = image.copy(interpretation="rgb16" if bands > 2 else "grey16")
    kept = metadata.info()
    for name in kept.keys() - vips.add.keys():
        image.set_type(pyvips.GValue.blob_type, VIPS_FIELDS[name], kept[name])
    try:
        getattr(image, f"{form.name.lower()}save")(str(path), **vips.deep)
    except pyvips.Error as error:
        raise OSError(one_line(error)) from error
    for name in kept.keys() & vips.add.keys():
        vips.add[name](path, kept[name])


def _heif_depth(image: Image.Image) -> int:
    """Bits a channel as the ``pixi`` box of an AVIF tells them, 8 where it does not."""
    if not (name := getattr(image, "filename", "")):
        return 8
    with Path(name).open("rb") as file:
        head = file.read(_HEIF_HEAD)
    place = head.find(_HEIF_DEPTH) + len(_HEIF_DEPTH) + 1
    return head[place] if len(_HEIF_DEPTH) < place < len(head) else 8
