"""Files and Pillow images as arrays, and what else of them is to be kept. `pictures` tells what becomes what."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ..errors import PictureError, PictureWarning, one_line
from .colour import to_srgb
from .depth import INSTALL, can_read_deep, has_deep_colour, has_pyvips, read_deep
from .metadata import Metadata, orientation, read_metadata, turned

Array = npt.NDArray[Any]

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "HEIF")
"""Formats, by Pillow's names, of which every frame or page is a picture; in others they are sizes, layers, previews."""

NEEDS_HEIC = f"HEIC needs pillow-heif; install it with: {INSTALL}"

_EIGHT_BIT = {"1": "L", "L": "L", "LA": "LA", "La": "LA"}  # every other 8-bit mode becomes RGB or RGBA
_WITH_ALPHA = {"L": "LA", "LA": "LA", "RGB": "RGBA"}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


class Decoded(NamedTuple):
    """Pixels [H, W, 1 to 4] of uint8, uint16 or float32 in [0, 1], upright, and what belongs to them.

    Channels are grey, grey and alpha, RGB, or RGBA.
    """

    levels: Array
    metadata: Metadata


def decode_file(path: Path) -> Decoded:
    """Read a picture file. Raises `PictureError` for whatever is not a whole picture of a known kind.

    >>> decode_file(Path("photo.jpg")).levels.shape  # doctest: +SKIP
    (480, 640, 3)
    """
    with open_image(path) as image:
        if (count := frame_count(image)) > 1:
            message = f"{path}: has {count} frames, of which the first is used; Upscaler.to_file takes them all"
            warnings.warn(message, PictureWarning, stacklevel=3)
        if has_deep_colour(image):
            if can_read_deep(image):
                return _decode_deep(image, path)
            warn_of_lost_depth(path)
        image.load()
        return decode_image(image, str(path))


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


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """The file as a Pillow image, not yet decoded; what goes wrong inside the block is told as the file's fault.

    Raises `PictureError`.
    """
    try:
        if path.is_dir():
            raise PictureError(f"{path}: is a folder; name a picture in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
            raise PictureError(f"{path}: is no plain file; save the picture first")
        if path.stat().st_size == 0:
            raise PictureError(f"{path}: is empty (0 bytes); get the file again")
        _prepare_heic(path)
        with Image.open(path) as image:
            yield image
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
    except MemoryError as error:
        raise PictureError(f"{path}: there is too little memory to open it; crop or reduce it") from error
    except Exception as error:  # damaged files make decoders raise almost anything
        raise PictureError(f"{path}: is damaged or truncated ({one_line(error)}); get the file again") from error


def frame_count(image: Image.Image) -> int:
    """How many pictures a file shows: frames of an animation, pages of a TIFF."""
    return getattr(image, "n_frames", 1) if image.format in ANIMATED else 1


def warn_of_lost_depth(path: Path) -> None:
    """Say that a file has more bits a channel than are used."""
    message = f"{path}: has more than 8 bits a channel, of which 8 are used"
    remedy = "" if has_pyvips() else f"; for 16-bit PNG and TIFF get pyvips with: {INSTALL}"
    warnings.warn(message + remedy, PictureWarning, stacklevel=3)


def _decode_deep(image: Image.Image, path: Path) -> Decoded:
    """16-bit colour of a file that Pillow, which reads the rest of it, would reduce to 8-bit."""
    levels = read_deep(path, image.format or "")
    # Pillow turns a TIFF when it loads it, and no longer knows then that it was to be turned; of a PNG it may learn so
    # only in loading it.
    known_before = orientation(image)
    image.load()
    if sorted(levels.shape[:2]) != sorted(image.size):
        raise PictureError(f"{path}: two readers see two sizes in it; get the file again")
    metadata = read_metadata(image, grey=levels.shape[2] < 3, name=str(path))
    return Decoded(turned(levels, max(known_before, orientation(image))), metadata)


def _prepare_heic(path: Path) -> None:
    """Let Pillow read HEIC where that is what the file is: pillow-heif is imported for nothing else."""
    with path.open("rb") as file:
        head = file.read(32)
    is_heic = head[4:8] == b"ftyp" and any(brand in head[8:] for brand in _HEIC_BRANDS)
    if is_heic and not teach_heic():
        raise PictureError(f"{path}: {NEEDS_HEIC}")


def teach_heic() -> bool:
    """Let Pillow read and write HEIC; False where pillow-heif is missing."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _levels(image: Image.Image, name: str) -> Array:
    """The pixels of a loaded image, following the rules at the top of `pictures`."""
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
