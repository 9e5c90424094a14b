"""The table of picture formats: what a file of each can hold, and how it is written. A new format is a new row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from PIL import Image

from .embedding import add_exif_to_tiff, add_xmp_to_png

UNBOUNDED = 2**62
VIPS_FIELDS: Mapping[str, str] = {"icc_profile": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data"}
"""Fields of `Metadata`, by the names under which libvips carries them."""


@dataclass(frozen=True)
class Vips:
    """How libvips reads and writes a format: with 16 bits a channel, and row by row."""

    strips: Mapping[str, Any]
    """Options for writing row by row."""
    deep: Mapping[str, Any] | None = None
    """Options for writing 16-bit colour; None where the format has none."""
    add: Mapping[str, Callable[[Path, bytes], None]] = field(default_factory=dict)
    """What of the metadata is added to the finished file; libvips writes the rest."""
    deep_channels: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By the number of channels of 16-bit pictures, which are written in their place, where not they themselves."""


@dataclass(frozen=True)
class Format:
    """A file format and what it can hold."""

    name: str
    """Pillow's."""
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    """Pillow's, of pictures that are written as they are; others become 8-bit grey or RGB(A)."""
    metadata: tuple[str, ...] = ("icc_profile", "exif", "xmp")
    """The fields of `Metadata` that it holds."""
    sequence: Literal["frames", "pages"] | None = None
    """Several pictures in a file: frames of one size with timing, or pages, each of its own size and kind."""
    longest: int = UNBOUNDED
    """The longest side in pixels."""
    most_pixels: int = UNBOUNDED
    most_bytes: int = UNBOUNDED
    """Of uncompressed pixels."""
    longest_segment: int = UNBOUNDED
    """The most bytes that EXIF or XMP may have."""
    quality: int | None = None
    """Of 1 to 100, unless the user says otherwise; None for formats that lose nothing."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of Pillow's `save`."""
    palette: bool = False
    """Whether it has 256 colours, each wholly opaque or clear: such a format is chosen only by name."""
    vips: Vips | None = None
    """None where libvips is of no use: no 16-bit colour, and not written row by row."""

    @property
    def alpha(self) -> bool:
        """Whether it holds transparency."""
        return "RGBA" in self.modes

    @property
    def deep(self) -> bool:
        """Whether it holds 16-bit colour."""
        return self.vips is not None and self.vips.deep is not None


_ROWS = (
    Format(
        "PNG",
        (".png",),
        ("L", "LA", "RGB", "RGBA", "I;16"),
        sequence="frames",
        vips=Vips({"filter": "all", "compression": 6}, deep={}, add={"xmp": add_xmp_to_png}),
    ),
    Format(
        "JPEG",
        (".jpg", ".jpeg"),
        ("L", "RGB"),
        longest=65500,
        longest_segment=65500,
        quality=95,
        options={"subsampling": 0},  # 4:4:4 keeps the colour edges that the network has just sharpened
        vips=Vips({"subsample_mode": "off"}),
    ),
    Format("WEBP", (".webp",), ("RGB", "RGBA"), sequence="frames", longest=16383, quality=95),
    Format(
        "AVIF",
        (".avif",),
        ("RGB", "RGBA"),
        sequence="frames",
        longest=32768,  # libavif writes larger ones, and refuses to read them
        most_pixels=16384**2,
        quality=90,
        options={"subsampling": "4:4:4"},
    ),
    Format("HEIF", (".heic", ".heif"), ("L", "RGB", "RGBA"), sequence="pages", longest=16384, quality=90),
    Format(
        "TIFF",  # uncompressed: Pillow cannot write EXIF together with libtiff's compressions
        (".tif", ".tiff"),
        ("L", "LA", "RGB", "RGBA", "I;16", "F"),
        sequence="pages",
        most_bytes=2**32 - 2**20,  # beyond, places in the file do not fit into its 32 bits
        vips=Vips(
            {"compression": "none"},
            deep={"compression": "deflate", "predictor": "horizontal"},
            add={"exif": add_exif_to_tiff},
            deep_channels={2: (0, 0, 0, 1)},  # few programs read a grey TIFF with alpha, Pillow does not
        ),
    ),
    Format("BMP", (".bmp",), ("L", "RGB"), metadata=()),
    Format("GIF", (".gif",), ("L", "RGB", "RGBA"), metadata=(), sequence="frames", longest=65535, palette=True),
)

READABLE = (
    *("BMP", "GIF", "JPEG", "PPM", "PNG", "TIFF", "WEBP", "AVIF"),
    *("DIB", "JPEG2000", "ICO", "ICNS", "PCX", "PSD", "SGI", "TGA", "DDS", "QOI", "IM", "MSP", "XBM"),
)
"""Pillow's decoders that files are given to, whatever they are called. Not among them are those that start a program
(EPS), hand the file to a library of the system (WMF), have no decoder of their own (HDF5, GRIB, BUFR, MPEG), or are for
measurements (FITS). JPEG opens MPO too; HEIF is another package's, and there once that is imported."""

FORMATS: Mapping[str, Format] = {suffix: form for form in _ROWS for suffix in form.suffixes}
"""By suffix."""
BY_NAME: Mapping[str | None, Format] = {form.name: form for form in _ROWS}
"""By Pillow's name of a file's format."""


def sequence_of(name: str | None) -> str | None:
    """Whether the further pictures in a file of this format are "frames" or "pages"; None where they are neither.

    In formats that are not of the table they are sizes, layers or previews.
    """
    form = BY_NAME.get(name)
    return form.sequence if form else None


def streamable() -> str:
    """The suffixes of formats that are written row by row, as a list in words.

    >>> streamable()
    '.png, .jpg or .tif'
    """
    first, *middle, last = [form.suffixes[0] for form in _ROWS if form.vips]
    return f"{', '.join([first, *middle])} or {last}"


def open_image(source: Path | BinaryIO) -> Image.Image:
    """A file as a Pillow image, not yet decoded, by one of the decoders in `READABLE`.

    Raises `PIL.UnidentifiedImageError` for a file of no such format, and whatever else Pillow raises for a damaged one.
    """
    return Image.open(source, formats=(*READABLE, "HEIF") if "HEIF" in Image.OPEN else READABLE)
