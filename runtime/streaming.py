"""Pictures larger than memory: decoded to a file of plain rows, enlarged strip by strip, encoded as they come.

pyvips (the extra `imaging`) does what Pillow cannot: decode and encode without holding the whole picture. The decoded
rows lie in a temporary file beside the target, where any of them can be read again; the enlarged ones go into the
encoder as they finish, through a pipe.
"""

import importlib.util
import io
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .atomic import replacing
from .errors import PictureError
from .pictures import Floats, Picture, open_picture
from .png_stream import PngStream
from .tiling import Indices, take

Array = npt.NDArray[Any]

INSTALL = 'pip install "tadsr[imaging]"'


@dataclass(frozen=True)
class StripFormat:
    """A format that pyvips writes row by row: its options, and which of `KEPT` it can carry along."""

    options: Mapping[str, Any]
    keeps: tuple[str, ...]
    transparency: bool = True
    longest: int = 2**31 - 1


KEPT = ("exif", "icc_profile", "xmp")
# The settings are those of `saving.FORMATS`. TIFF is without EXIF, which libvips cannot write there.
FORMATS: Mapping[str, StripFormat] = {
    ".png": StripFormat({"filter": "all", "compression": 6}, KEPT),
    ".jpg": StripFormat({"Q": 95, "subsample_mode": "off"}, KEPT, False, 65500),
    ".jpeg": StripFormat({"Q": 95, "subsample_mode": "off"}, KEPT, False, 65500),
    ".tif": StripFormat({"compression": "none", "bigtiff": True}, ("icc_profile", "xmp")),
    ".tiff": StripFormat({"compression": "none", "bigtiff": True}, ("icc_profile", "xmp")),
}
_DTYPES: Mapping[str, np.dtype[Any]] = {"uchar": np.dtype(np.uint8), "ushort": np.dtype(np.uint16)}
_INTERPRETATIONS = ("b-w", "grey16", "srgb", "rgb16")


@dataclass(frozen=True)
class RowFile:
    """A file of rows [height, width, channels] of `dtype` as they lie in memory, nothing before or after."""

    path: Path
    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int) -> Array:
        """Rows [start, stop)."""
        row = self.width * self.channels
        values = np.fromfile(self.path, self.dtype, (stop - start) * row, offset=start * row * self.dtype.itemsize)
        return values.reshape(stop - start, self.width, self.channels)

    def template(self) -> Picture:
        """A picture of the same kind, of one pixel: it composes rows of the enlarged layers."""
        return as_picture(np.zeros((1, 1, self.channels), self.dtype))


class RowSource:
    """A `running.Source` of a `RowFile`."""

    def __init__(self, file: RowFile) -> None:
        self._file = file

    def rows(self, indices: Indices) -> tuple[Floats, ...]:
        """See `running.Source`."""
        present, places = np.unique(indices, return_inverse=True)
        runs = np.split(present, np.flatnonzero(np.diff(present) != 1) + 1)
        levels = np.concatenate([self._file.read(int(run[0]), int(run[-1]) + 1) for run in runs])
        return as_picture(take(levels, places, 0)).layers


def as_picture(levels: Array) -> Picture:
    """Rows [h, W, 1 to 4] as a `Picture`, grey with alpha among them."""
    if levels.shape[2] != 2:
        return open_picture(levels)
    return replace(open_picture(levels[..., [0, 0, 0, 1]]), grey=True)


def refuse_unless_possible(source: Path, target: Path) -> None:
    """Raise `PictureError` where this file cannot become that one strip by strip."""
    if importlib.util.find_spec("pyvips") is None:
        raise PictureError(f"{source}: too large for max_memory as a whole; what works in strips comes by: {INSTALL}")
    if target.suffix.lower() not in FORMATS:
        raise PictureError(f"{target}: too large for max_memory as a whole, in strips save as .png, .jpg or .tif")
    with Image.open(source) as header:
        if getattr(header, "n_frames", 1) > 1:
            raise PictureError(f"{source}: of several frames, so too large for max_memory; save each as a picture")


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A folder for a file of rows beside `target`, gone afterwards. An `OSError` becomes a `PictureError`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".tadsr-", dir=target.parent) as folder:
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or error
        raise PictureError(f"{target}: cannot be written ({reason}); nothing was saved") from error


def carried_along(source: Path, target: Path) -> dict[str, bytes]:
    """The metadata that the result will carry (`KEPT`), by the same rules as for a picture in memory.

    They are applied to a picture of one pixel that has the file's metadata. Raises `PictureError` where `target` could
    not carry them.
    """
    with Image.open(source) as header:
        grey = header.mode in ("1", "L", "LA") or header.mode.startswith("I")
        one = Image.new("L" if grey else "RGB", (1, 1))
        one.info.update({key: header.info[key] for key in KEPT if key in header.info})
        if len(exif := header.getexif()):
            one.info["exif"] = exif.tobytes()
        result = open_picture(one).finish(np.zeros((1, 1, 1 if grey else 3), np.uint8))
    assert isinstance(result, Image.Image)
    kept = {key: result.info[key] for key in KEPT if result.info.get(key)}
    if lost := sorted(kept.keys() - {*FORMATS[target.suffix.lower()].keeps}):
        raise PictureError(f"{target}: {', '.join(lost)} cannot be kept there when written in strips; save as .png")
    return kept


def decode(source: Path, rows: Path, target: Path) -> RowFile:
    """Decode a picture file, upright, into a file of rows. Raises `PictureError` where it cannot be, or could never
    become `target`.
    """
    pyvips = _pyvips()
    try:
        image = _open(source, access="sequential")
        if image.get_typeof("orientation") and image.get("orientation") > 1:
            image = _open(source, access="random").autorot()  # reads in another order than it is stored
        if image.format not in _DTYPES or image.interpretation not in _INTERPRETATIONS:
            raise PictureError(f"{source}: {image.interpretation} cannot be read in strips; convert it to RGB first")
        form = FORMATS[target.suffix.lower()]
        if image.bands in (2, 4) and not form.transparency:
            raise PictureError(f"{target}: this format cannot hold transparency; save as .png")
        image.rawsave(str(rows))
    except pyvips.Error as error:
        raise PictureError(f"{source}: is damaged or truncated ({_first_line(error)}); get the file again") from error
    return RowFile(rows, image.height, image.width, image.bands, _DTYPES[image.format])


@contextmanager
def encoding(target: Path, kind: RowFile, metadata: Mapping[str, bytes]) -> Iterator[PngStream]:
    """A stream that takes rows of `kind`'s shape and type, from top to bottom, and encodes them as they come.

    The suffix of `target` names the format; `target` appears when the block ends well. Raises `PictureError`.
    """
    form = FORMATS[target.suffix.lower()]
    if max(kind.width, kind.height) > form.longest:
        raise PictureError(f"{target}: this format holds at most {form.longest} pixels a side; save as .png")
    read_end, write_end = os.pipe()
    with replacing(target) as draft, ThreadPoolExecutor(1) as encoder:
        encoded = encoder.submit(_encode, read_end, draft, target.suffix.lower(), form.options, metadata)
        try:
            with os.fdopen(write_end, "wb") as pipe:
                stream = PngStream(pipe, kind.height, kind.width, kind.channels, kind.dtype)
                yield stream
                stream.close()
        except BrokenPipeError:  # the encoder has given up, and says why
            encoded.result()
            raise
        encoded.result()


def _encode(read_end: int, draft: Path, suffix: str, options: Mapping[str, Any], metadata: Mapping[str, bytes]) -> None:
    """Encode the picture that comes through a pipe; its reading end is closed whatever happens. Raises `OSError`."""
    pyvips = _pyvips()
    with os.fdopen(read_end, "rb") as pipe:
        source = pyvips.SourceCustom()
        source.on_read(pipe.read)
        try:
            image = pyvips.Image.new_from_source(source, "", access="sequential", fail=True, unlimited=True).copy()
            _carry(image, metadata)
            image.write_to_target(pyvips.Target.new_to_file(str(draft)), suffix, **options)
        except pyvips.Error as error:
            raise OSError(_first_line(error)) from error


def _open(source: Path, access: str) -> Any:
    pyvips = _pyvips()
    # Not by its name, in which pyvips would look for options in brackets.
    return pyvips.Image.new_from_source(pyvips.Source.new_from_file(str(source)), "", access=access, fail=True)


def _carry(image: Any, metadata: Mapping[str, bytes]) -> None:
    """Give a pyvips image the metadata, the way it comes from a JPEG: its EXIF is written from the single fields."""
    pyvips = _pyvips()
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "JPEG", exif=metadata.get("exif", b""))
    exif = pyvips.Image.new_from_buffer(buffer.getvalue(), "")
    for field in exif.get_fields():
        if field.startswith("exif-"):
            image.set_type(exif.get_typeof(field), field, exif.get(field))
    for key, field in (("icc_profile", "icc-profile-data"), ("xmp", "xmp-data")):
        if key in metadata:
            image.set_type(pyvips.GValue.blob_type, field, metadata[key])


def _pyvips() -> Any:
    """pyvips, which keeps no results for later and reports by its exceptions only."""
    import pyvips

    pyvips.cache_set_max(0)
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    return pyvips


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
