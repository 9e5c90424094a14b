"""What libvips and Pillow leave out of the files they write, added to the finished file."""

import struct
import zlib
from pathlib import Path

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_XMP_TEXT = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword, not compressed, no language, no translated keyword
_ENTRY = 12
_WEBP_FLAGS = 20
_WEBP_ALPHA = 0x10


def add_xmp_to_png(path: Path, xmp: bytes) -> None:
    """Add the chunk in which XMP is looked for; libvips writes it into one in which it is not. Raises `OSError`."""
    body = b"iTXt" + _XMP_TEXT + xmp
    chunk = struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
    with path.open("rb+") as file:
        file.seek(-len(_PNG_END), 2)
        file.write(chunk + _PNG_END)


def add_exif_to_tiff(path: Path, exif: bytes) -> None:
    """Add EXIF to the first directory of a TIFF without any; libvips writes none. Raises `OSError`.

    The directory is written anew at the end of the file: its old entries, which point where they pointed, and those of
    ``exif``.
    """
    entries = Image.Exif()
    entries.load(exif)
    with path.open("rb+") as file:
        header = file.read(8)
        order = "<" if header.startswith(b"II") else ">"
        file.seek(*struct.unpack(f"{order}L", header[4:]))
        (count,) = struct.unpack(f"{order}H", file.read(2))
        old, following = file.read(_ENTRY * count), file.read(4)

        added = ImageFileDirectory_v2(header)
        for tag, value in entries.items():
            added[tag] = entries.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else value
        place = _even_end(file.seek(0, 2))
        file.seek(place)
        written = bytes(added.tobytes(place))
        file.write(written)
        new = written[2 : 2 + _ENTRY * len(added)]

        raw = old + new
        starts = range(0, len(raw), _ENTRY)
        directory = {struct.unpack_from(f"{order}H", raw, start)[0]: raw[start : start + _ENTRY] for start in starts}
        place = _even_end(file.tell())
        file.seek(place)
        file.write(struct.pack(f"{order}H", len(directory)))
        file.write(b"".join(directory[tag] for tag in sorted(directory)))
        file.write(following)
        file.seek(4)
        file.write(struct.pack(f"{order}L", place))


def mark_webp_alpha(path: Path) -> None:
    """Say in the head of an animated WebP that frames have alpha; Pillow does not, and then ignores it in reading.

    Raises `OSError`.
    """
    with path.open("rb+") as file:
        file.seek(_WEBP_FLAGS)
        flags = file.read(1)[0]
        file.seek(_WEBP_FLAGS)
        file.write(bytes([flags | _WEBP_ALPHA]))


def _even_end(place: int) -> int:
    return place + place % 2
