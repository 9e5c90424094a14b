"""A picture file: what it is, known before any work, and its pixels. It is opened once."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import PictureError, PictureWarning, one_line
from ..shape import Shape
from . import optional
from .decoding import Decoded, decode_image
from .depth import can_read_deep, has_deep_colour, read_deep
from .formats import open_image, sequence_of
from .metadata import Metadata, orientation, read_metadata, turned

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


class PictureFile:
    """An open picture file. Its attributes say what it is; whoever decodes or plans builds on them.

    `form` is Pillow's name of the format, `frames` how many pictures the file shows (frames of an animation, pages of a
    TIFF), and `deep` whether it has more bits a channel than Pillow reads of it. All methods raise `PictureError` for
    whatever is wrong with the file.

    >>> with PictureFile(Path("photo.jpg")) as file:
    ...     file.form, file.frames, file.shape.width
    ('JPEG', 1, 40)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with faults_of(path):
            self.image = _open(path)
            try:
                self.form = self.image.format
                self.frames = frame_count(self.image)
                self.deep = has_deep_colour(self.image)
            except BaseException:
                self.image.close()
                raise

    def __enter__(self) -> "PictureFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and its pixels."""
        self.image.close()

    @cached_property
    def shape(self) -> Shape:
        """Of the first picture, upright; found without decoding it, but for a PNG whose EXIF may follow its pixels."""
        with faults_of(self.path):
            if self.form == "PNG" and "exif" not in self.image.info:
                self.image.load()
        shape = shape_of_image(self.image)
        return Shape(shape.height, shape.width, shape.channels, np.dtype(np.uint16)) if self._read_deep else shape

    def decode(self) -> Decoded:
        """The first picture. With a `PictureWarning` where the file has others, or bits that are lost."""
        with faults_of(self.path):
            if self.frames > 1:
                message = f"has {self.frames} frames, of which the first is used; Upscaler.to_file takes them all"
                warnings.warn(f"{self.path}: {message}", PictureWarning, stacklevel=3)
            if self._read_deep:
                return self._decode_deep()
            if self.deep:
                warn_of_lost_depth(self.path)
            self.image.load()
            return decode_image(self.image, str(self.path))

    def metadata(self) -> Metadata:
        """What the result is to carry."""
        with faults_of(self.path):
            mode = self.image.mode
            return read_metadata(self.image, grey=mode in ("1", "L", "LA") or mode.startswith("I"), name=str(self.path))

    @property
    def _read_deep(self) -> bool:
        return self.deep and can_read_deep(self.image)

    def _decode_deep(self) -> Decoded:
        """16-bit colour, which Pillow, which reads the rest of the file, would reduce to 8-bit."""
        levels = read_deep(self.path, self.form or "")
        # Pillow turns a TIFF when it loads it, and no longer knows then that it was to be turned; of a PNG it may learn
        # so only in loading it.
        known_before = orientation(self.image)
        self.image.load()
        if sorted(levels.shape[:2]) != sorted(self.image.size):
            raise PictureError(f"{self.path}: two readers see two sizes in it; get the file again")
        metadata = read_metadata(self.image, grey=levels.shape[2] < 3, name=str(self.path))
        return Decoded(turned(levels, max(known_before, orientation(self.image))), metadata)


def decode_file(path: Path) -> Decoded:
    """Read the first picture of a file. Raises `PictureError` for whatever is not a whole picture of a known kind.

    >>> decode_file(Path("photo.jpg")).levels.shape
    (30, 40, 3)
    """
    with PictureFile(path) as file:
        return file.decode()


def shape_of_image(image: Image.Image) -> Shape:
    """What `decode_image` will make of a Pillow image, found without decoding it."""
    width, height = image.size
    if orientation(image) > 4:
        width, height = height, width
    grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    dtype = np.float32 if image.mode == "F" else np.uint16 if image.mode.startswith("I") else np.uint8
    return Shape(height, width, (1 if grey else 3) + image.has_transparency_data, np.dtype(dtype))


def frame_count(image: Image.Image) -> int:
    """How many pictures a file shows: frames of an animation, pages of a TIFF."""
    return getattr(image, "n_frames", 1) if sequence_of(image.format) else 1


def warn_of_lost_depth(path: Path) -> None:
    """Say that a file has more bits a channel than are used."""
    message = f"{path}: has more than 8 bits a channel, of which 8 are used"
    remedy = "" if optional.has_pyvips() else f"; for 16-bit PNG and TIFF get pyvips with: {optional.INSTALL}"
    warnings.warn(message + remedy, PictureWarning, stacklevel=3)


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """What goes wrong inside the block is the file's fault, and becomes a `PictureError` that says so."""
    try:
        yield
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


def _open(path: Path) -> Image.Image:
    """The file as a Pillow image, not yet decoded."""
    if path.is_dir():
        raise PictureError(f"{path}: is a folder; name a picture in it")
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
        raise PictureError(f"{path}: is no plain file; save the picture first")
    if path.stat().st_size == 0:
        raise PictureError(f"{path}: is empty (0 bytes); get the file again")
    with path.open("rb") as file:
        head = file.read(32)
    is_heic = head[4:8] == b"ftyp" and any(brand in head[8:] for brand in _HEIC_BRANDS)
    if is_heic and not optional.teach_heic():  # pillow-heif is imported for nothing else
        raise PictureError(f"{path}: {optional.NEEDS_HEIC}")
    return open_image(path)
