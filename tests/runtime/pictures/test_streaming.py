"""Strips give the picture that memory gives, and leave nothing behind where they fail."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

import runtime
from runtime import Cancelled, PictureError, Upscaler
from runtime.enlarging import Enlarger
from runtime.pictures.png_stream import PngStream
from runtime.shape import Shape

VIPS = importlib.util.find_spec("pyvips") is not None
needs_vips = pytest.mark.skipif(not VIPS, reason="needs pyvips, which comes with tadsr[imaging]")
MODES = ("L", "LA", "RGB", "RGBA", "I;16", "P", "1")


@pytest.fixture
def upscaler(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Upscaler:
    """One that takes every picture for too large to be held as a whole, where a limit is given."""
    monkeypatch.setattr(Enlarger, "fits", lambda self, shape, settings: False)
    return runtime.load(toy_bundle, threads=1)


def draw(path: Path, mode: str = "RGB", size: tuple[int, int] = (75, 60), **options: Any) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    if mode == "I;16":
        Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(path, **options)
    else:
        Image.fromarray(noise).convert("RGBA" if mode == "RGBA" else "RGB").convert(mode).save(path, **options)
    return path


@needs_vips
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [None, 3])
def test_strips_give_the_same_picture(upscaler: Upscaler, tmp_path: Path, mode: str, scale: int | None) -> None:
    source = draw(tmp_path / "source.png", mode)
    size = upscaler.to_file(source, tmp_path / "strips.png", max_memory="2GB", tile=20, scale=scale)
    upscaler(source, tile=20, scale=scale).save(tmp_path / "whole.png")
    with Image.open(tmp_path / "strips.png") as strips, Image.open(tmp_path / "whole.png") as whole:
        assert strips.size == size == whole.size
        kind = whole.mode if not strips.mode.startswith("I") else "I"
        np.testing.assert_array_equal(np.asarray(strips.convert(kind)), np.asarray(whole.convert(kind)))


@needs_vips
def test_textures_wrap_around_in_strips(upscaler: Upscaler, tmp_path: Path) -> None:
    source = draw(tmp_path / "source.png")
    upscaler.to_file(source, tmp_path / "strips.png", max_memory="2GB", tile=20, wrap=True)
    with Image.open(tmp_path / "strips.png") as strips:
        np.testing.assert_array_equal(np.asarray(strips), np.asarray(upscaler(source, tile=20, wrap=True)))


@needs_vips
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_exif_profile_and_orientation(upscaler: Upscaler, tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: 0.01}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = draw(tmp_path / "source.png", exif=exif.tobytes(), icc_profile=profile)
    assert upscaler.to_file(source, tmp_path / f"large{suffix}", max_memory="2GB", tile=20) == (240, 300)
    with Image.open(tmp_path / f"large{suffix}") as large:
        assert large.size == (240, 300)
        assert large.info["icc_profile"] == profile
        assert large.getexif()[ExifTags.Base.Make] == "Camera"
        assert large.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert large.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == pytest.approx(0.01)
        if suffix == ".png":
            np.testing.assert_array_equal(np.asarray(large), np.asarray(upscaler(source, tile=20)))


@needs_vips
@pytest.mark.parametrize(
    ("mode", "source", "target", "message"),
    [
        ("RGB", "a.png", "a.webp", "in strips save as .png, .jpg or .tif"),
        ("RGBA", "a.png", "a.jpg", "cannot hold transparency; save as .png"),
        ("CMYK", "a.tif", "a.png", "cannot be read in strips; convert it to RGB"),
    ],
)
def test_what_strips_cannot_do(
    upscaler: Upscaler, tmp_path: Path, mode: str, source: str, target: str, message: str
) -> None:
    path = draw(tmp_path / source, mode)
    with pytest.raises(PictureError, match=message):
        upscaler.to_file(path, tmp_path / target, max_memory="2GB")
    assert [*tmp_path.iterdir()] == [path]


@needs_vips
def test_metadata_in_a_tiff_and_none_where_it_is_stripped(upscaler: Upscaler, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    source = draw(tmp_path / "a.jpg", exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    for suffix in (".tif", ".png", ".jpg"):
        upscaler.to_file(source, tmp_path / f"b{suffix}", max_memory="2GB")
        with Image.open(tmp_path / f"b{suffix}") as kept:
            kept.load()  # XMP may stand behind the pixels
            assert kept.getexif()[ExifTags.Base.Make] == "Camera", suffix
            assert b"<x:xmpmeta/>" in bytes(kept.info.get("xmp", b"")), suffix
        upscaler.to_file(source, tmp_path / f"c{suffix}", max_memory="2GB", strip_metadata=True)
        with Image.open(tmp_path / f"c{suffix}") as stripped:
            assert ExifTags.Base.Make not in stripped.getexif()
            assert "xmp" not in stripped.info


@needs_vips
def test_quality_reaches_the_encoder(upscaler: Upscaler, tmp_path: Path) -> None:
    source = draw(tmp_path / "a.png")
    for quality in (10, 95):
        upscaler.to_file(source, tmp_path / f"{quality}.jpg", max_memory="2GB", quality=quality)
    assert (tmp_path / "10.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


def test_without_the_extra_the_remedy_is_named(
    upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    source = draw(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r'pip install "tadsr\[imaging\]"'):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB")


@needs_vips
def test_a_truncated_picture(upscaler: Upscaler, tmp_path: Path) -> None:
    source = draw(tmp_path / "a.png")
    source.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(PictureError, match=r"a\.png: is damaged or truncated"):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB")
    assert [*tmp_path.iterdir()] == [source]


@needs_vips
@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_an_end_in_the_middle_leaves_nothing(upscaler: Upscaler, tmp_path: Path, kind: type[BaseException]) -> None:
    source = draw(tmp_path / "a.png")

    def end(done: int, total: int) -> None:
        if done == 5:
            raise kind

    with pytest.raises(kind):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB", tile=20, progress=end)
    with pytest.raises(Cancelled, match="stopped before tile 1 of"):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB", tile=20, cancel=lambda: True)
    assert [*tmp_path.iterdir()] == [source]


@needs_vips
def test_a_full_disk_while_decoding(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    def full(self: Any, name: str) -> None:
        raise pyvips.Error("unable to write", "No space left on device")

    monkeypatch.setattr(pyvips.Image, "rawsave", full, raising=False)
    source = draw(tmp_path / "a.png")
    with pytest.raises(PictureError):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB")
    assert [*tmp_path.iterdir()] == [source]


@needs_vips
def test_a_full_disk_while_encoding(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    def full(self: Any, target: Any, suffix: str, **options: Any) -> None:
        raise pyvips.Error("unable to write", "write error: No space left on device")

    monkeypatch.setattr(pyvips.Image, "write_to_target", full)
    source = draw(tmp_path / "a.png", size=(200, 200))
    with pytest.raises(PictureError, match=r"b\.png: cannot be written \(.*\); nothing was saved"):
        upscaler.to_file(source, tmp_path / "b.png", max_memory="2GB", tile=20)
    assert [*tmp_path.iterdir()] == [source]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_stream_is_a_png(channels: int, dtype: type) -> None:
    rows = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (30, 20, channels), dtype)
    file = io.BytesIO()
    stream = PngStream(file, Shape(30, 20, channels, np.dtype(dtype)))
    for start, stop in ((0, 1), (1, 17), (17, 30)):
        stream.write(rows[start:stop])
    stream.close()
    image = Image.open(file)
    image.load()
    assert image.size == (20, 30)
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(image).reshape(rows.shape), rows)
    elif channels == 1:
        np.testing.assert_array_equal(np.asarray(image), rows[..., 0])
