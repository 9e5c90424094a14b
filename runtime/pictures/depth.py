"""Colour of 16 bits a channel, which Pillow reads as 8 and cannot write: PNG and TIFF, through pyvips."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError, one_line
from .embedding import add_exif_to_tiff, add_xmp_to_png
from .metadata import Metadata

Array = npt.NDArray[Any]

INSTALL = 'pip install "tadsr[imaging]"'


@dataclass(frozen=True)
class DeepFormat:
    """How libvips reads and writes a format of which it has 16 bits."""

    load: str
    """Name of the operation on a buffer."""
    save: str
    options: Mapping[str, Any]
    """Of `save`."""
    fields: Mapping[str, str]
    """Which of `Metadata` it writes, and the names of its own for them."""
    add: Mapping[str, Callable[[Path, bytes], None]]
    """How the others get into the finished file."""
    channels: Mapping[int, tuple[int, ...]]
    """By the number of channels, what is written in their place, where not they themselves."""


DEEP_FORMATS: Mapping[str, DeepFormat] = {
    "PNG": DeepFormat(
        load="pngload_buffer",
        save="pngsave",
        options={},
        fields={"icc_profile": "icc-profile-data", "exif": "exif-data"},
        add={"xmp": add_xmp_to_png},
        channels={},
    ),
    "TIFF": DeepFormat(
        load="tiffload_buffer",
        save="tiffsave",
        options={"compression": "deflate", "predictor": "horizontal"},
        fields={"icc_profile": "icc-profile-data", "xmp": "xmp-data"},
        add={"exif": add_exif_to_tiff},
        channels={2: (0, 0, 0, 1)},  # few programs read a grey TIFF with alpha, Pillow does not
    ),
}
"""By Pillow's names."""

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
    return image.format in DEEP_FORMATS and has_pyvips()


def read_deep(path: Path, form: str) -> Array:
    """The pixels of a 16-bit file of a format of `DEEP_FORMATS`: uint16 [H, W, 1 to 4], as they lie in the file.

    Raises `PictureError` where libvips does not read the file as such.
    """
    import pyvips

    try:
        image = getattr(pyvips.Image, DEEP_FORMATS[form].load)(path.read_bytes(), fail_on="truncated")
        if image.format != "ushort" or image.interpretation not in ("rgb16", "grey16") or image.bands > 4:
            raise PictureError(
                f"{path}: has colours of a kind ({image.interpretation}) unknown here; convert it to RGB"
            )
        return image.numpy().reshape(image.height, image.width, image.bands)
    except pyvips.Error as error:
        raise PictureError(f"{path}: is damaged or truncated ({one_line(error)}); get the file again") from error


def write_deep(levels: Array, path: Path, form: str, metadata: Metadata) -> None:
    """Write uint16 pixels [H, W, 2 to 4] as a PNG or TIFF with their metadata, by pyvips. Raises `OSError`."""
    import pyvips

    deep = DEEP_FORMATS[form]
    if levels.shape[2] in deep.channels:
        levels = levels[..., deep.channels[levels.shape[2]]]
        metadata = replace(metadata, icc_profile=None)  # it was one for other colours
    height, width, bands = levels.shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(levels).data, width, height, bands, "ushort")
    image = image.copy(interpretation="rgb16" if bands > 2 else "grey16")
    kept = metadata.info()
    for name in deep.fields.keys() & kept.keys():
        image.set_type(pyvips.GValue.blob_type, deep.fields[name], kept[name])
    try:
        getattr(image, deep.save)(str(path), **deep.options)
    except pyvips.Error as error:
        raise OSError(one_line(error)) from error
    for name in deep.add.keys() & kept.keys():
        deep.add[name](path, kept[name])


def has_pyvips() -> bool:
    """Whether 16-bit colour can be read and written."""
    return importlib.util.find_spec("pyvips") is not None


def _heif_depth(image: Image.Image) -> int:
    """Bits a channel as the ``pixi`` box of an AVIF tells them, 8 where it does not."""
    if not (name := getattr(image, "filename", "")):
        return 8
    with Path(name).open("rb") as file:
        head = file.read(_HEIF_HEAD)
    place = head.find(_HEIF_DEPTH) + len(_HEIF_DEPTH) + 1
    return head[place] if len(_HEIF_DEPTH) < place < len(head) else 8
