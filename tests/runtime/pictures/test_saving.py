import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, features

from runtime import atomic
from runtime.errors import PictureError, PictureWarning, SettingError
from runtime.pictures.formats import FORMATS
from runtime.pictures.metadata import Metadata
from runtime.pictures.saving import check_output, check_size, is_installed, save_picture
from tests.runtime.pictures.levels import save_levels
from tests.runtime.pictures.profiles import grey_profile, rgb_profile

SUFFIXES = [
    pytest.param(suffix, marks=pytest.mark.skipif(not is_installed(form), reason="needs the extra imaging"))
    for suffix, form in FORMATS.items()
]
MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format(mode: str, suffix: str, tmp_path: Path) -> None:
    picture = Image.new(mode, (8, 4), 1 if mode == "F" else None)
    if mode in ("LA", "RGBA"):
        picture.putalpha(Image.linear_gradient("L").resize((8, 4)) if mode in FORMATS[suffix].modes else 255)
    save_picture(picture, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as saved:
        assert saved.size == (8, 4)
        assert saved.format == FORMATS[suffix].name
        if mode in FORMATS[suffix].modes and not FORMATS[suffix].palette:
            assert saved.mode == mode
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


def test_16_bit_is_brought_to_8_where_needed(tmp_path: Path) -> None:
    save_picture(Image.fromarray(np.full((4, 4), 32896, np.uint16)), tmp_path / "a.bmp")
    with Image.open(tmp_path / "a.bmp") as saved:
        assert saved.getextrema() == (128, 128)


def test_transparency_is_never_dropped_silently(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (4, 4), (1, 2, 3, 200))
    with pytest.raises(PictureError, match=r"JPEG cannot hold transparency; save as \.png"):
        save_picture(picture, tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_and_profile_travel(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: 0.01}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.new("RGB", (8, 8))
    picture.info.update(exif=exif.tobytes(), icc_profile=profile)
    save_picture(picture, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as saved:
        assert saved.info["icc_profile"] == profile
        assert saved.getexif()[ExifTags.Base.Make] == "Camera"
        assert saved.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == pytest.approx(0.01)
        assert saved.size == (8, 8)


@pytest.mark.parametrize("suffix", [".bmp", ".gif"])
def test_colours_of_a_profile_that_is_not_kept_look_the_same(suffix: str, tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8), (90, 160, 60))
    picture.info["icc_profile"] = rgb_profile("Display P3")
    save_picture(picture, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as saved:
        assert "icc_profile" not in saved.info
        seen = saved.convert("RGB").getpixel((0, 0))
    assert np.abs(np.subtract(seen, (59, 164, 33))).max() <= 3  # by hand, through linear light
    assert picture.getpixel((0, 0)) == (90, 160, 60)


def test_a_grey_profile_cannot_go_into_colours(tmp_path: Path) -> None:
    picture = Image.new("L", (8, 8), 128)
    picture.info["icc_profile"] = grey_profile(1.8)
    save_picture(picture, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as saved:
        assert "icc_profile" not in saved.info
        assert abs(saved.getpixel((0, 0))[1] - 146) <= 2  # a gamma of 1.8 is lighter than sRGB's


def test_a_damaged_profile_costs_the_picture_nothing(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8), (90, 160, 60))
    picture.info["icc_profile"] = b"damaged"
    save_picture(picture, tmp_path / "a.bmp")
    with Image.open(tmp_path / "a.bmp") as saved:
        assert saved.getpixel((0, 0)) == (90, 160, 60)


@pytest.mark.parametrize("name", ["exif", "xmp"])
def test_what_is_too_long_for_a_jpeg_is_left_out_and_said(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.MakerNote: bytes(70_000)}
    metadata = {"exif": exif.tobytes(), "xmp": b"<x>" + bytes(70_000)}
    picture = Image.new("RGB", (8, 8))
    picture.info[name] = metadata[name]
    with pytest.warns(PictureWarning, match=rf"a\.jpg: its {name.upper()} is longer than JPEG can hold"):
        save_picture(picture, tmp_path / "a.jpg")
    save_picture(picture, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as saved:
        saved.load()
        assert len(saved.info[name]) > 70_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_quality(suffix: str, tmp_path: Path) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    sizes = []
    for quality in (10, None, 100):
        save_picture(noisy, tmp_path / f"a{suffix}", quality=quality)
        sizes.append((tmp_path / f"a{suffix}").stat().st_size)
    assert len(set(sizes)) == (3 if FORMATS[suffix].quality is not None else 1)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_qualities_that_there_are_not(quality: int, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"quality={quality}: is not in 1\.\.100"):
        save_picture(Image.new("RGB", (8, 8)), tmp_path / "a.jpg", quality=quality)


def test_formats_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r'a\.heic: HEIC needs pillow-heif; install it with: pip install "tadsr\[im'):
        check_output(tmp_path / "a.heic")
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(PictureError, match=r"a\.avif: this Pillow cannot write AVIF"):
        check_output(tmp_path / "a.avif")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".gif", ".avif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_full_disk(suffix: str, dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft is a link to the full disk, so that libraries of all kinds meet the real error."""
    make = atomic.draft_path

    def on_the_full_disk(path: Path) -> Path:
        draft = make(path)
        draft.symlink_to(FULL)
        return draft

    monkeypatch.setattr(atomic, "draft_path", on_the_full_disk)
    (tmp_path / f"a{suffix}").write_bytes(b"old")
    with pytest.raises(PictureError, match=rf"a\{suffix}: cannot be written \(.+\); nothing was saved"):
        save_levels(np.zeros((300, 400, 3), dtype), Metadata(), tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_jpeg_is_444(tmp_path: Path) -> None:
    from PIL import JpegImagePlugin

    save_picture(Image.new("RGB", (16, 16)), tmp_path / "a.JPG")
    with Image.open(tmp_path / "a.JPG") as saved:
        assert isinstance(saved, JpegImagePlugin.JpegImageFile)
        assert JpegImagePlugin.get_sampling(saved) == 0


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for name, message in (
        ("a.xyz", r"unknown picture suffix '\.xyz'; use one of \.png"),
        ("a", "unknown picture suffix"),
        ("folder.png", "is a folder"),
        ("missing/a.png", "folder does not exist"),
    ):
        for attempt in (lambda path: save_picture(Image.new("L", (2, 2)), path), check_output):
            with pytest.raises(PictureError, match=message):
                attempt(tmp_path / name)
    with pytest.raises(PictureError, match="at most 16383 pixels"):
        save_picture(Image.new("L", (16384, 1)), tmp_path / "a.webp")
    for size, message in (((32769, 1), "at most 32768 pixels a side"), ((32768, 8193), "at most 268 megapixels")):
        with pytest.raises(PictureError, match=message):
            check_size(size, FORMATS[".avif"], tmp_path / "a.avif")


def test_the_largest_avif_can_be_read(tmp_path: Path) -> None:
    save_picture(Image.new("RGB", (32768, 8)), tmp_path / "a.avif")
    with Image.open(tmp_path / "a.avif") as saved:
        assert saved.size == (32768, 8)


def test_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a real one would not stop root
    with pytest.raises(PictureError, match="not writable"):
        save_picture(Image.new("L", (2, 2)), tmp_path / "a.png")


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full_disk(self: Image.Image, file: Path, *args: object, **options: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full_disk)
        with pytest.raises(PictureError, match=r"a\.png: cannot be written \(No space left on device\)"):
            save_picture(Image.new("L", (2, 2)), path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    save_picture(Image.new("L", (2, 2)), path)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
