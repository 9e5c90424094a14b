import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from runtime.errors import PictureError
from runtime.pictures import Picture, open_picture, quantise

RNG = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def repeat(picture: Picture, scale: int = 4) -> Image.Image | np.ndarray:
    """The result for a network that repeats every pixel."""
    return picture.finish(picture.compose([layer.repeat(scale, 0).repeat(scale, 1) for layer in picture.layers]))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1), (1, 1, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: type) -> None:
    array = RNG.random(shape) * 0.9 + 0.1  # what is all but transparent has no colour to come back
    array = (array * np.iinfo(dtype).max).astype(dtype) if np.dtype(dtype).kind == "u" else array.astype(dtype)
    picture = open_picture(array)
    assert picture.pixels.shape == (*shape[:2], 3)
    assert picture.pixels.dtype == np.float32
    result = repeat(picture, 1)
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.dtype) == (array.shape, array.dtype)
    tolerance = {"u": 1, "f": 1e-3}[np.dtype(dtype).kind]
    np.testing.assert_allclose(result.astype(float), array.astype(float), atol=tolerance)
    assert repeat(picture).shape == (4 * shape[0], 4 * shape[1], *shape[2:])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3,), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((1, 3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), np.uint32),
        np.zeros((4, 4), bool),
        np.full((4, 4), 1.5),
        np.full((4, 4), -0.5),
        np.full((4, 4), np.nan),
    ],
)
def test_unusable_arrays(array: np.ndarray) -> None:
    with pytest.raises(PictureError):
        open_picture(array)


def test_not_a_picture_at_all() -> None:
    with pytest.raises(PictureError, match="cannot use a list as a picture"):
        open_picture([1, 2])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "L"),
        ("L", "L"),
        ("LA", "LA"),
        ("La", "LA"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("RGBa", "RGBA"),
        ("RGBX", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("LAB", "RGB"),
        ("HSV", "RGB"),
        ("I", "I;16"),
        ("I;16", "I;16"),
        ("I;16B", "I;16"),
        ("F", "F"),
    ],
)
def test_every_mode(mode: str, expected: str) -> None:
    image = Image.new(mode, (6, 3))
    result = repeat(open_picture(image))
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size) == (expected, (24, 12))


def test_grey_stays_grey_and_16_bit_keeps_its_levels() -> None:
    grey = Image.fromarray(noise(4, 6))
    np.testing.assert_array_equal(np.asarray(repeat(open_picture(grey), 1)), np.asarray(grey))
    deep = Image.fromarray(RNG.integers(0, 65536, (4, 6), np.uint16))
    assert deep.mode == "I;16"
    np.testing.assert_allclose(np.asarray(repeat(open_picture(deep), 1)), np.asarray(deep), atol=1)
    big_endian = Image.frombytes("I;16B", (2, 1), b"\x01\x00\xff\xff")
    np.testing.assert_array_equal(np.asarray(repeat(open_picture(big_endian), 1)), [[256, 65535]])
    with pytest.raises(PictureError, match="beyond 16 bits"):
        open_picture(Image.new("I", (2, 2), 70000))
    with pytest.raises(PictureError, match=r"in \[0, 1\]"):
        open_picture(Image.new("F", (2, 2), 200.0))


def test_alpha_survives_and_opaque_stays_opaque() -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, 4:] = 255
    result = np.asarray(repeat(open_picture(Image.fromarray(np.dstack([noise(8, 8, 3), alpha])))))
    assert (result[:, :8, 3] <= 8).all()
    assert (result[:, -8:, 3] >= 247).all()
    opaque = np.dstack([noise(5, 9, 3), np.full((5, 9), 255, np.uint8)])
    assert (np.asarray(repeat(open_picture(opaque)))[..., 3] == 255).all()


@pytest.mark.parametrize(("mode", "expected"), [("L", "LA"), ("RGB", "RGBA"), ("P", "RGBA")])
def test_colour_keys_become_alpha(mode: str, expected: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (6, 6), (7, 7, 7))
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "key.png", transparency=image.getpixel((0, 0)))
    result = repeat(open_picture(tmp_path / "key.png"))
    assert isinstance(result, Image.Image)
    assert result.mode == expected
    assert result.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.ImageWidth] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: 0.01, ExifTags.Base.ExifImageWidth: 6}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    path = tmp_path / "turned.png"
    Image.fromarray(noise(4, 6, 3)).save(path, exif=exif)
    result = repeat(open_picture(path))
    assert isinstance(result, Image.Image)
    assert result.size == ((24, 16) if orientation < 5 else (16, 24))
    kept = Image.Exif()
    kept.load(result.info["exif"])
    assert dict(kept).keys() == {ExifTags.Base.Make, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}
    assert kept.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.ExposureTime: 0.01}
    assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_malformed_exif_does_not_cost_the_photo() -> None:
    image = Image.fromarray(noise(4, 6, 3))
    image.info["exif"] = b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken"
    assert open_picture(image).pixels.shape == (4, 6, 3)


def test_profiles_are_kept_where_they_still_hold() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode, expected in (("RGB", srgb), ("CMYK", None), ("LAB", None)):
        image = Image.new(mode, (4, 4))
        image.info["icc_profile"] = srgb  # the wrong kind for CMYK: falls back to the plain formula
        result = repeat(open_picture(image))
        assert isinstance(result, Image.Image)
        assert result.info.get("icc_profile") == expected


def test_given_images_are_not_changed() -> None:
    image = Image.fromarray(noise(4, 6, 3))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    before = image.tobytes()
    assert open_picture(image).pixels.shape == (6, 4, 3)
    assert (image.tobytes(), image.size) == (before, (6, 4))
    assert image.getexif()[ExifTags.Base.Orientation] == 6


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    def refused(name: str, message: str) -> None:
        with pytest.raises(PictureError, match=message) as caught:
            open_picture(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)

    refused("missing.png", "no such file")
    (tmp_path / "folder.png").mkdir()
    refused("folder.png", "is a folder")
    (tmp_path / "empty.png").touch()
    refused("empty.png", "is empty")
    (tmp_path / "text.png").write_text("I am not a picture")
    refused("text.png", "not a picture")
    for suffix, options in ((".png", {}), (".jpg", {}), (".webp", {}), (".tif", {}), (".bmp", {})):
        stream = io.BytesIO()
        Image.fromarray(noise(64, 64, 3)).save(stream, Image.registered_extensions()[suffix], **options)
        (tmp_path / f"half{suffix}").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
        refused(f"half{suffix}", "damaged or truncated|not a picture")


def test_lazy_image_that_turns_out_truncated(tmp_path: Path) -> None:
    Image.fromarray(noise(64, 64, 3)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    with (
        Image.open(io.BytesIO(data[: len(data) // 2])) as image,
        pytest.raises(PictureError, match="cannot be decoded"),
    ):
        open_picture(image)


def test_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (3000, 3000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    with pytest.raises(PictureError, match="more than 2 megapixels"):
        open_picture(tmp_path / "bomb.png")


def test_image_without_pixels() -> None:
    with pytest.raises(PictureError, match="no pixels"):
        open_picture(Image.new("RGB", (0, 5)))


def test_quantise_rounds_to_the_nearest_level() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(quantise(levels.astype(np.float32) / 255, levels.dtype), levels)
    deep = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(quantise(deep.astype(np.float32) / 65535, deep.dtype), deep)
