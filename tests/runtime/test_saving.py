import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from runtime.errors import PictureError
from runtime.saving import FORMATS, check_output, save_picture

MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format(mode: str, suffix: str, tmp_path: Path) -> None:
    picture = Image.new(mode, (8, 4), 1 if mode == "F" else None)
    if mode in ("LA", "RGBA"):
        picture.putalpha(Image.linear_gradient("L").resize((8, 4)) if mode in FORMATS[suffix].modes else 255)
    save_picture(picture, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as saved:
        assert saved.size == (8, 4)
        assert saved.format == FORMATS[suffix].name
        if mode in FORMATS[suffix].modes and FORMATS[suffix].keeps_colours:
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


def test_a_profile_of_other_colours_is_left_out(tmp_path: Path) -> None:
    picture = Image.new("L", (8, 8))
    picture.info["icc_profile"] = b"a grey profile"
    save_picture(picture, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as saved:
        assert "icc_profile" not in saved.info


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
