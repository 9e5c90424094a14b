"""What a picture file carries beside its pixels, cleaned of what no longer holds once the picture is enlarged."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
from PIL import ExifTags, Image

from ..errors import PictureWarning

Array = npt.NDArray[Any]

_KEPT_EXIF = (
    ExifTags.Base.DocumentName,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Rating,
    ExifTags.Base.RatingPercent,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
"""Of the first directory, whose other tags describe the layout of a file that will be another."""

_STALE_EXIF = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, ExifTags.Base.ExifInteroperabilityOffset)

_STALE_XMP = b"|".join(
    [
        b"tiff:ImageWidth",
        b"tiff:ImageLength",
        b"exif:PixelXDimension",
        b"exif:PixelYDimension",
        b"xmpNote:HasExtendedXMP",  # names a second packet, which no reader of ours sees
    ]
)
_STALE_ATTRIBUTE = re.compile(rb"\s(?:%s)=(?:\"[^\"]*\"|'[^']*')" % _STALE_XMP)
_STALE_ELEMENT = re.compile(rb"<(%s)>[^<]*</\1>" % _STALE_XMP)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[0-9]+")  # as forgiving as those who read it
_XMP_THUMBNAILS = (b"<xmp:Thumbnails>", b"</xmp:Thumbnails>")

_PROFILE_SPACES: Mapping[bytes, bool] = {b"GRAY": True, b"RGB ": False}
"""The colour space in the header of an ICC profile, and whether it is for grey pictures."""

_CONVERTED = ("CMYK", "LAB")
"""Modes whose pixels become sRGB, whatever profile they came with."""


@dataclass(frozen=True)
class Metadata:
    """An ICC profile, EXIF (beginning with ``Exif\\0\\0``) and an XMP packet, each as the bytes that files hold."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def stripped(self) -> "Metadata":
        """Without what tells about the photographer; the profile stays, for without it the colours would be others."""
        return replace(self, exif=None, xmp=None)

    def info(self) -> dict[str, bytes]:
        """For `PIL.Image.Image.info`, under the names that Pillow reads them into."""
        return {name: value for name, value in vars(self).items() if value}


def read_metadata(image: Image.Image, *, grey: bool, name: str) -> Metadata:
    """What to keep of ``image``, whose pixels become grey or else RGB: EXIF and XMP without orientation, sizes and
    thumbnails, and a profile if it is one for these colours. ``name`` stands in warnings.
    """
    return Metadata(_profile(image, grey), _exif(image, name), _xmp(image))


def metadata_of_result(image: Image.Image) -> Metadata:
    """What a result of ours carries in its ``info``; of an image of others, what is of the same kind."""
    carried = {name: image.info.get(name) for name in ("icc_profile", "exif", "xmp")}
    return Metadata(**{name: value for name, value in carried.items() if isinstance(value, bytes)})


def orientation(image: Image.Image) -> int:
    """How the pixels lie, 1 to 8 as in EXIF, also where only XMP tells it; 1 where nothing sensible does."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is often malformed; a photo is none the worse for it
        return 1
    return value if value in range(1, 9) else 1


def turned(levels: Array, orientation: int) -> Array:
    """Pixels [H, W, C] turned and mirrored so that they are to be looked at as they lie.

    >>> turned(np.array([[[1], [2]]]), 6)[..., 0].tolist()
    [[1], [2]]
    """
    if orientation > 4:
        levels = levels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        levels = levels[::-1]
    return levels[:, ::-1] if orientation in (2, 3, 6, 7) else levels


def _profile(image: Image.Image, grey: bool) -> bytes | None:
    profile = image.info.get("icc_profile")
    if image.mode in _CONVERTED or not isinstance(profile, bytes):
        return None
    return profile if _PROFILE_SPACES.get(profile[16:20]) is grey else None


def _exif(image: Image.Image, name: str) -> bytes | None:
    try:
        old, new = image.getexif(), Image.Exif()
        new.update({tag: old[tag] for tag in _KEPT_EXIF if tag in old})
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if entries := {tag: value for tag, value in old.get_ifd(ifd).items() if tag not in _STALE_EXIF}:
                new[ifd] = entries
        return new.tobytes() if len(new) else None
    except Exception:  # as above
        warnings.warn(f"{name}: its EXIF is malformed and was left out", PictureWarning, stacklevel=2)
        return None


def _xmp(image: Image.Image) -> bytes | None:
    packet = image.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or not packet:
        return None
    packet = _STALE_ELEMENT.sub(b"", _STALE_ATTRIBUTE.sub(b"", packet))
    packet = _XMP_ORIENTATION.sub(rb"\g<1>1", packet)
    start, end = _XMP_THUMBNAILS
    before, _, rest = packet.partition(start)
    return before + rest.partition(end)[2] if end in rest else packet
