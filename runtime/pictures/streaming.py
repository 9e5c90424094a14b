"""Pictures larger than memory: decoded to a file of plain rows, enlarged strip by strip, encoded as they come.

pyvips (the extra `imaging`) does what Pillow cannot: decode and encode without holding the whole picture. The decoded
rows lie in a temporary file beside the target, where any of them can be read again; the enlarged ones go into the
encoder as they finish, through a pipe.
"""

import io
import logging
import os
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..atomic import replacing
from ..errors import PictureError, one_line
from ..tiles.tiling import Indices, take
from .depth import INSTALL, has_pyvips
from .embedding import add_exif_to_tiff, add_xmp_to_png
from .metadata import Metadata, read_metadata
from .picture import Floats, Picture, open_rows
from .png_stream import PngStream

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StripFormat:
    """A format that pyvips writes row by row, and how its files get what libvips leaves out."""

    options: Mapping[str, Any]
    add: Mapping[str, Callable[[Path, bytes], None]] = field(default_factory=dict)
    """What of the metadata is added to the finished file; libvips writes the rest."""
    transparency: bool = True
    longest: int = 2**31 - 1
    quality: bool = False


# The settings are those of `saving.FORMATS`.
_JPEG = StripFormat({"Q": 95, "subsample_mode": "off"}, transparency=False, longest=65500, quality=True)
_TIFF = StripFormat({"compression": "none"}, {"exif": add_exif_to_tiff})
FORMATS: Mapping[str, StripFormat] = {
    ".png": StripFormat({"filter": "all", "compression": 6}, {"xmp": add_xmp_to_png}),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
LARGEST_TIFF = 2**32 - 2**20
"""Bytes of pixels: beyond, places in a TIFF do not fit into its 32 bits."""
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

    @cached_property
    def even_alpha(self) -> float | None:
        """Alpha in [0, 1] where all of the picture has the same; None where it varies, or there is none."""
        if self.channels not in (2, 4):
            return None
        first = self.read(0, 1)[0, 0, -1]
        even = all((self.read(row, row + 1)[..., -1] == first).all() for row in range(self.height))
        return float(first) / np.iinfo(self.dtype).max if even else None

    def picture(self, levels: Array) -> Picture:
        """Some rows of it, [h, W, channels], as the picture that all of it is."""
        rows = open_rows(levels)
        return rows if self.even_alpha is None else replace(rows, alpha=self.even_alpha)

    def template(self) -> Picture:
        """A picture of the same kind, of one pixel: it composes rows of the enlarged layers."""
        return self.picture(np.zeros((1, 1, self.channels), self.dtype))


class RowSource:
    """A `running.Source` of a `RowFile`."""

    def __init__(self, file: RowFile) -> None:
        self._file = file

    @property
    def count(self) -> int:
        """See `running.Source`."""
        return len(self._file.template().layers)

    def rows(self, indices: Indices) -> tuple[Floats, ...]:
        """See `running.Source`."""
        present, places = np.unique(indices, return_inverse=True)
        runs = np.split(present, np.flatnonzero(np.diff(present) != 1) + 1)
        levels = np.concatenate([self._file.read(int(run[0]), int(run[-1]) + 1) for run in runs])
        return self._file.picture(take(levels, places, 0)).layers


def refuse_unless_possible(source: Path, target: Path) -> None:
    """Raise `PictureError` where this file cannot become that one strip by strip."""
    if not has_pyvips():
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


def carried_along(source: Path, strip: bool) -> Metadata:
    """The metadata that the result will carry, as of a picture in memory; with `strip` the profile only."""
    with Image.open(source) as header:
        grey = header.mode in ("1", "L", "LA") or header.mode.startswith("I")
        found = read_metadata(header, grey=grey, name=str(source))
    return found.stripped() if strip else found


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
        raise PictureError(f"{source}: is damaged or truncated ({one_line(error)}); get the file again") from error
    return RowFile(rows, image.height, image.width, image.bands, _DTYPES[image.format])


@contextmanager
def encoding(target: Path, kind: RowFile, metadata: Metadata, quality: int | None = None) -> Iterator[PngStream]:
    """A stream that takes rows of `kind`'s shape and type, from top to bottom, and encodes them as they come.

    The suffix of `target` names the format; `target` appears when the block ends well. Raises `PictureError`.
    """
    form = FORMATS[target.suffix.lower()]
    if max(kind.width, kind.height) > form.longest:
        raise PictureError(f"{target}: this format holds at most {form.longest} pixels a side; save as .png")
    if form is _TIFF and kind.height * kind.width * kind.channels * kind.dtype.itemsize > LARGEST_TIFF:
        raise PictureError(f"{target}: a TIFF holds at most 4 GB; save as .png")
    options = dict(form.options) | ({"Q": quality} if form.quality and quality is not None else {})
    read_end, write_end = os.pipe()
    with replacing(target) as draft, ThreadPoolExecutor(1) as encoder:
        encoded = encoder.submit(_encode, read_end, draft, target.suffix.lower(), options, metadata)
        try:
            with os.fdopen(write_end, "wb") as pipe:
                stream = PngStream(pipe, kind.height, kind.width, kind.channels, kind.dtype)
                yield stream
                stream.close()
        except BrokenPipeError:  # the encoder has given up, and says why
            encoded.result()
            raise
        encoded.result()
        kept = metadata.info()
        for name in form.add.keys() & kept.keys():
            form.add[name](draft, kept[name])


def _encode(read_end: int, draft: Path, suffix: str, options: Mapping[str, Any], metadata: Metadata) -> None:
    """Encode the picture that comes through a pipe; its reading end is closed whatever happens. Raises `OSError`."""
    pyvips = _pyvips()
    with os.fdopen(read_end, "rb") as pipe:
        source = pyvips.SourceCustom()
        source.on_read(pipe.read)
        try:
            image = pyvips.Image.new_from_source(source, "", access="sequential", fail=True, unlimited=True).copy()
            _carry(image, metadata, without=FORMATS[suffix].add)
            image.write_to_target(pyvips.Target.new_to_file(str(draft)), suffix, **options)
        except pyvips.Error as error:
            raise OSError(one_line(error)) from error


def _open(source: Path, access: str) -> Any:
    pyvips = _pyvips()
    # Not by its name, in which pyvips would look for options in brackets.
    return pyvips.Image.new_from_source(pyvips.Source.new_from_file(str(source)), "", access=access, fail=True)


def _carry(image: Any, metadata: Metadata, without: Container[str]) -> None:
    """Give a pyvips image the metadata, the way it comes from a JPEG: its EXIF is written from the single fields."""
    pyvips = _pyvips()
    kept = {name: value for name, value in metadata.info().items() if name not in without}
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "JPEG", exif=kept.get("exif", b""))
    exif = pyvips.Image.new_from_buffer(buffer.getvalue(), "")
    for entry in exif.get_fields():
        if entry.startswith("exif-"):
            image.set_type(exif.get_typeof(entry), entry, exif.get(entry))
    for name, entry in (("icc_profile", "icc-profile-data"), ("xmp", "xmp-data")):
        if name in kept:
            image.set_type(pyvips.GValue.blob_type, entry, kept[name])


def _pyvips() -> Any:
    """pyvips, which keeps no results for later and reports by its exceptions only."""
    import pyvips

    pyvips.cache_set_max(0)
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    return pyvips
