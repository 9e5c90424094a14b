import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import runtime
from runtime.errors import PictureWarning
from runtime.pictures.metadata import Metadata, orientation, read_metadata
from runtime.pictures.picture import open_picture
from tests.runtime.pictures.profiles import grey_profile, rgb_profile

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description
 tiff:Orientation="6" tiff:Make='Camera' exif:PixelXDimension="40" xmpNote:HasExtendedXMP="0123">
<tiff:Orientation>6</tiff:Orientation><exif:PixelYDimension>30</exif:PixelYDimension>
<xmp:Thumbnails><rdf:Alt><xmpGImg:image>/9j/4AAQ</xmpGImg:image></rdf:Alt></xmp:Thumbnails>
<dc:title>a title</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""


def image_with(mode: str = "RGB", **info: object) -> Image.Image:
    image = Image.new(mode, (4, 3))
    image.info.update(info)
    return image


def kept(image: Image.Image, *, grey: bool = False) -> Metadata:
    return read_metadata(image, grey=grey, name="photo.jpg")


def test_xmp_loses_what_is_no_longer_true() -> None:
    packet = kept(image_with(xmp=XMP)).xmp
    assert packet is not None
    for gone in (b"Dimension", b"Thumbnail", b"/9j/", b"HasExtendedXMP"):
        assert gone not in packet
    for left in (
        b'tiff:Orientation="1"',
        b"<tiff:Orientation>1</tiff:Orientation>",
        b"tiff:Make='Camera'",
        b"<dc:title>a title</dc:title>",
        b"</rdf:Description></rdf:RDF></x:xmpmeta>",
    ):
        assert left in packet


@pytest.mark.parametrize("xmp", [XMP, b"<tiff:Orientation>6/tiff:Orientation>"], ids=["whole", "damaged"])
def test_orientation_in_xmp_alone_is_applied_once(xmp: bytes) -> None:
    picture = open_picture(image_with(xmp=xmp))
    assert picture.pixels.shape == (4, 3, 3)
    result = picture.finish(picture.compose(picture.layers))
    assert isinstance(result, Image.Image)
    assert orientation(result) == 1


@pytest.mark.parametrize("piece", [b"<xmp:Thumbnails>", b"<tiff:Orientation>", b' tiff:Orientation="', b"<tiff:Orien"])
def test_hostile_xmp_costs_no_time(piece: bytes) -> None:
    packet = piece * (10**6 // len(piece))
    assert kept(image_with(xmp=packet)).xmp is not None


def test_the_layout_of_the_file_goes() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.XPTitle] = "title".encode("utf-16-le")
    exif[ExifTags.Base.StripOffsets] = 8
    exif[ExifTags.Base.YCbCrPositioning] = 1
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 4, ExifTags.Base.MakerNote: b"secret of the maker"}
    result = kept(image_with(exif=exif.tobytes())).exif
    assert result is not None
    found = Image.Exif()
    found.load(result)
    assert {*found} == {ExifTags.Base.Make, ExifTags.Base.XPTitle, ExifTags.IFD.Exif}
    assert found.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.MakerNote: b"secret of the maker"}


def test_the_thumbnail_goes() -> None:
    directory = b"\1\0" + struct.pack("<HHL4s", ExifTags.Base.Make, 2, 4, b"abc\0")
    thumbnail = b"\1\0" + struct.pack("<HHLL", ExifTags.Base.JpegIFOffset, 4, 1, 44) + bytes(4)
    blob = b"Exif\0\0II*\0\x08\0\0\0" + directory + struct.pack("<L", 26) + thumbnail + b"THUMBNAIL"
    image = image_with(exif=blob)
    assert image.getexif().get_ifd(ExifTags.IFD.IFD1)
    result = kept(image).exif
    assert result is not None
    assert b"abc" in result
    assert b"THUMB" not in result
    found = Image.Exif()
    found.load(result)
    assert not found.get_ifd(ExifTags.IFD.IFD1)


def test_malformed_exif_is_said() -> None:
    image = image_with()
    image.getexif()[ExifTags.Base.Make] = object()
    with pytest.warns(PictureWarning, match=r"photo\.jpg: its EXIF is malformed and was left out"):
        assert kept(image).exif is None


@pytest.mark.parametrize(
    ("mode", "grey", "profile", "stays"),
    [
        ("RGB", False, rgb_profile("Adobe RGB"), True),
        ("P", False, rgb_profile("Adobe RGB"), True),
        ("L", True, grey_profile(), True),
        ("L", True, rgb_profile("Adobe RGB"), False),
        ("RGB", False, grey_profile(), False),
        ("CMYK", False, rgb_profile("Adobe RGB"), False),
        ("RGB", False, b"damaged", False),
    ],
)
def test_a_profile_stays_where_it_is_one_for_these_colours(mode: str, grey: bool, profile: bytes, stays: bool) -> None:
    assert (kept(image_with(mode, icc_profile=profile), grey=grey).icc_profile is not None) == stays


def test_a_stripped_picture_keeps_its_profile() -> None:
    assert Metadata(b"profile", b"exif", b"xmp").stripped() == Metadata(icc_profile=b"profile")


def test_images_carry_it_too(toy_bundle: Path) -> None:
    profile = rgb_profile("Display P3")
    result = runtime.upscale(image_with(icc_profile=profile, xmp=XMP), bundle=toy_bundle)
    assert result.info["icc_profile"] == profile
    assert b"a title" in result.info["xmp"]
    assert np.asarray(result).shape == (16, 12, 3)
