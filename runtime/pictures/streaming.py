"""Pictures larger than memory: decoded to a file of plain rows, enlarged strip by strip, encoded as they come.

pyvips (the extra `imaging`) does what Pillow cannot: decode and encode without holding the whole picture. The decoded
rows lie in a temporary file beside the target, where any of them can be read again; the enlarged ones go into the
encoder as they finish, through a pipe.
"""

import io
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..atomic import replacing
from ..errors import PictureError, one_line
from ..shape import Shape
from .formats import VIPS_FIELDS, Format, streamable
from .metadata import Metadata
from .optional import INSTALL, has_pyvips
from .picture import Floats, Picture, open_rows
from .picture_file import PictureFile
from .png_stream import PngStream
from .saving import check_size

Array = npt.NDArray[Any]


_DTYPES: Mapping[str, np.dtype[Any]] = {"uchar": np.dtype(np.uint8), "ushort": np.dtype(np.uint16)}
_INTERPRETATIONS = ("b-w", "grey16", "srgb", "rgb16")


@dataclass(frozen=True)
class RowFile:
    """A file of rows [height, width, channels] as they lie in memory, nothing before or after; a `running.Source`."""

    path: Path
    shape: Shape

    def read(self, start: int, stop: int) -> Array:
        """Rows [start, stop)."""
        shape = self.shape
        count, offset = (stop - start) * shape.width * shape.channels, start * shape.width * shape.pixel_bytes
        return np.fromfile(self.path, shape.dtype, count, offset=offset).reshape(-1, shape.width, shape.channels)

    @property
    def count(self) -> int:
        """How many layers the network sees."""
        return len(self.template().layers)

    def rows(self, indices: npt.NDArray[np.intp]) -> tuple[Floats, ...]:
        """Each layer's rows at `indices`, in any order: RGB [len(indices), W, 3] in [0, 1]."""
        present, places = np.unique(indices, return_inverse=True)
        runs = np.split(present, np.flatnonzero(np.diff(present) != 1) + 1)
        levels = np.concatenate([self.read(int(run[0]), int(run[-1]) + 1) for run in runs])
        return self._picture(levels if np.array_equal(present, indices) else levels[places]).layers

    def template(self) -> Picture:
        """A picture of the same kind, of one pixel: it composes rows of the enlarged layers."""
        return self._picture(np.zeros((1, 1, self.shape.channels), self.shape.dtype))

    @cached_property
    def even_alpha(self) -> float | None:
        """Alpha in [0, 1] where all of the picture has the same; None where it varies, or there is none."""
        if self.shape.channels not in (2, 4):
            return None
        first = self.read(0, 1)[0, 0, -1]
        even = all((self.read(row, row + 1)[..., -1] == first).all() for row in range(self.shape.height))
        return float(first) / np.iinfo(self.shape.dtype).max if even else None

    def _picture(self, levels: Array) -> Picture:
        """Some rows [h, W, channels] as the picture that all of it is."""
        rows = open_rows(levels)
        return rows if self.even_alpha is None else replace(rows, alpha=self.even_alpha)


def refuse_unless_possible(file: PictureFile, form: Format, target: Path) -> None:
    """Raise `PictureError` where this file cannot become that one strip by strip."""
    if not has_pyvips():
        message = f"too large for max_memory as a whole; what works in strips comes by: {INSTALL}"
        raise PictureError(f"{file.path}: {message}")
    if form.vips is None:
        raise PictureError(f"{target}: too large for max_memory as a whole, in strips save as {streamable()}")
    if file.frames > 1:
        raise PictureError(f"{file.path}: of several frames, so too large for max_memory; save each as a picture")


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A folder for a file of rows beside `target`, gone afterwards. An `OSError` becomes a `PictureError`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".tadsr-", dir=target.parent) as folder:
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or error
        raise PictureError(f"{target}: cannot be written ({reason}); nothing was saved") from error


def decode(source: Path, rows: Path, form: Format, target: Path) -> RowFile:
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
        if image.bands in (2, 4) and not form.alpha:
            raise PictureError(f"{target}: {form.name} cannot hold transparency; save as .png")
        image.rawsave(str(rows))
    except pyvips.Error as error:
        raise PictureError(f"{source}: is damaged or truncated ({one_line(error)}); get the file again") from error
    return RowFile(rows, Shape(image.height, image.width, image.bands, _DTYPES[image.format]))


@contextmanager
def encoding(
    target: Path, form: Format, shape: Shape, metadata: Metadata, quality: int | None = None
) -> Iterator[PngStream]:
    """A stream that takes rows of a picture of `shape`, from top to bottom, and encodes them as they come.

    `target` appears when the block ends well. Raises `PictureError`, and `ValueError` for a format that is not written
    so.
    """
    if form.vips is None:
        raise ValueError(f"{form.name} is not written in strips")
    check_size((shape.width, shape.height), form, target, shape.pixel_bytes)
    options = dict(form.vips.strips)
    if form.quality is not None:
        options["Q"] = form.quality if quality is None else quality
    kept = metadata.info()
    added = kept.keys() & form.vips.add.keys()
    written = {name: value for name, value in kept.items() if name not in added}
    read_end, write_end = os.pipe()
    with replacing(target) as draft, ThreadPoolExecutor(1) as encoder:
        encoded = encoder.submit(_encode, read_end, draft, form.suffixes[0], options, written)
        try:
            with os.fdopen(write_end, "wb") as pipe:
                stream = PngStream(pipe, shape)
                yield stream
                stream.close()
        except BrokenPipeError:  # the encoder has given up, and says why
            encoded.result()
            raise
        encoded.result()
        for name in added:
            form.vips.add[name](draft, kept[name])


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
            raise OSError(one_line(error)) from error


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
    for entry in exif.get_fields():
        if entry.startswith("exif-"):
            image.set_type(exif.get_typeof(entry), entry, exif.get(entry))
    for name in ("icc_profile", "xmp"):
        if name in metadata:
            image.set_type(pyvips.GValue.blob_type, VIPS_FIELDS[name], metadata[name])


def _pyvips() -> Any:
    """pyvips, which keeps no results for later and reports by its exceptions only."""
    import pyvips

    pyvips.cache_set_max(0)
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    return pyvips
