import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

import runtime
from runtime.errors import PictureError, PictureWarning
from runtime.pictures import depth, optional, saving
from runtime.pictures.metadata import Metadata
from runtime.pictures.picture import Picture, open_picture, open_rows, quantise
from tests.runtime.pictures.levels import save_levels

RNG = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def repeat(picture: Picture, scale: int = 4) -> Image.Image | np.ndarray:
    """The result for a network that repeats every pixel."""
    return picture.finish(picture.compose([layer.repeat(scale, 0).repeat(scale, 1) for layer in picture.layers]))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1), (1, 1, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: type) -> None:
    array = RNG.random(shape) * 0.8 + 0.1  # alpha all but 0 or 1 would become that
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


def cut_out(side: int = 96) -> np.ndarray:
    """A disc of a plain colour, its edge soft, over noise that is wholly hidden: [side, side, 4]."""
    away = np.hypot(*np.meshgrid(*[np.arange(side) - side / 2] * 2)) - side / 3
    alpha = np.clip(0.5 - away, 0, 1)
    colour = np.where(alpha[..., None] > 0, np.uint8([200, 90, 40]), noise(side, side, 3))
    return np.dstack([colour, np.rint(255 * alpha).astype(np.uint8)])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_cut_out_stays_one_in_the_shipped_network(precision: str) -> None:
    before = cut_out()
    with runtime.load(precision=precision, threads=1) as upscaler:
        after = upscaler(before)
    alpha, margin = before[..., 3].repeat(4, axis=0).repeat(4, axis=1), 24
    around = np.lib.stride_tricks.sliding_window_view(np.pad(alpha, margin, mode="edge"), [2 * margin + 1] * 2)
    clear, opaque = around[::4, ::4].max((2, 3)) == 0, around[::4, ::4].min((2, 3)) == 255
    inside = np.zeros_like(clear)
    inside[3:-3, 3:-3] = True  # at the border of a picture the network is less exact
    after, clear, opaque = after[::4, ::4], clear & inside, opaque & inside
    assert clear.any()
    assert opaque.any()
    assert (after[clear] == 0).all()
    assert (after[opaque][:, 3] == 255).all()
    np.testing.assert_allclose(after[opaque][:, :3], np.broadcast_to([200, 90, 40], (opaque.sum(), 3)), atol=8)
    edge = (after[..., 3] > 60) & (after[..., 3] < 200)
    assert np.abs(after[edge][:, :3].astype(int) - [200, 90, 40]).mean() < 20  # the noise did not bleed in


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_alpha_that_does_not_vary_is_data(value: int) -> None:
    array = np.dstack([noise(5, 9, 3), np.full((5, 9), value, np.uint8)])
    picture = open_picture(array)
    assert len(picture.layers) == 1
    np.testing.assert_array_equal(repeat(picture, 1), array)


@given(rows=st.tuples(st.integers(0, 11), st.integers(1, 12)), columns=st.tuples(st.integers(0, 9), st.integers(1, 10)))
def test_any_rectangle_can_be_composed(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    picture = open_picture(np.random.default_rng(1).integers(0, 256, (12, 10, 4), np.uint8))
    part = slice(rows[0], sum(rows)), slice(columns[0], sum(columns))
    whole = picture.compose(picture.layers)
    np.testing.assert_array_equal(picture.compose([layer[part] for layer in picture.layers]), whole[part])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_rows_are_parts_of_the_whole(channels: int) -> None:
    """Also rows that are opaque in a picture that is not."""
    levels = noise(8, 6, channels)
    levels[:4, :, -1] = 255
    whole, rows = open_picture(levels), open_rows(levels[:4])
    assert len(rows.layers) == len(whole.layers)
    for part, layer in zip(rows.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(part, layer[:4])
    np.testing.assert_array_equal(rows.compose(rows.layers), whole.compose(whole.layers)[:4])


def test_16_bit_colour_without_pyvips_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyvips", reason="needs the extra imaging to write such a file")
    levels = RNG.integers(0, 65536, (4, 6, 3), np.uint16)
    save_levels(levels, Metadata(), tmp_path / "deep.png")
    with pytest.warns(PictureWarning, match=r"PIL\.Image holds no 16-bit colour, .*to_file keeps all 16"):
        assert np.asarray(repeat(open_picture(tmp_path / "deep.png"), 1)).dtype == np.uint8
    for module in (optional, depth, saving):
        monkeypatch.setattr(module, "has_pyvips", lambda: False)
    with pytest.warns(PictureWarning, match=r'deep\.png: has more than 8 bits .* pip install "tadsr\[imaging\]"'):
        picture = open_picture(tmp_path / "deep.png")
    assert picture.dtype == np.uint8
    with pytest.warns(PictureWarning, match=r'again\.png: saved with 8 bits .* pip install "tadsr\[imaging\]"'):
        save_levels(levels, Metadata(), tmp_path / "again.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "again.png")), np.rint(levels / 257))


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
def test_10_bits_are_read_as_8_with_a_warning(suffix: str, tmp_path: Path) -> None:
    pyvips = pytest.importorskip("pyvips", reason="needs the extra imaging to write such a file")
    heif = pytest.importorskip("pillow_heif", reason="needs the extra imaging to write such a file")
    levels = np.full((32, 32, 3), 30000, np.uint16)
    if suffix == ".heic":
        heif.from_bytes("RGB;16", (32, 32), levels.tobytes()).save(tmp_path / "deep.heic")
    else:
        image = pyvips.Image.new_from_memory(levels.data, 32, 32, 3, "ushort").copy(interpretation="rgb16")
        image.heifsave(str(tmp_path / "deep.avif"), compression="av1", bitdepth=10)
    with pytest.warns(PictureWarning, match="more than 8 bits a channel, of which 8 are used"):
        open_picture(tmp_path / f"deep{suffix}")


def test_heic_without_pillow_heif_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r'photo\.heic: HEIC needs .*: pip install "tadsr\[imaging\]"'):
        open_picture(tmp_path / "photo.heic")


def test_of_several_frames_the_first_is_used_with_a_warning(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(PictureWarning, match=r"two\.gif: has 2 frames, of which the first is used"):
        picture = open_picture(tmp_path / "two.gif")
    np.testing.assert_array_equal(picture.pixels[0, 0], [1, 0, 0])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="is no plain file"):
        open_picture(tmp_path / "pipe.png")
