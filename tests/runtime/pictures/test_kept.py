"""Each cell of the tables in docs/pictures.md, through `Upscaler.to_file`, with a network that repeats pixels."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import runtime
from runtime.pictures.metadata import Metadata, turned
from runtime.pictures.picture import as_image
from runtime.pictures.saving import save_picture
from tests.conftest import write_toy_bundle
from tests.runtime.pictures.levels import save_levels
from tests.runtime.pictures.profiles import grey_profile, rgb_profile

pytest.importorskip("pyvips", reason="needs the extra imaging")
pytest.importorskip("pillow_heif", reason="needs the extra imaging")

PAGE = Path(__file__).parents[3] / "docs" / "pictures.md"
SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "WebP": ".webp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "HEIC": ".heic",
    "GIF": ".gif",
    "BMP": ".bmp",
}
PROFILE = rgb_profile("Display P3")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:title>a title</dc:title></x:xmpmeta>'
STILL = (48, 32)


def table(name: str) -> list[list[str]]:
    """The cells of one table of the page, without its two head lines."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- end of {name} -->")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in [lines[0], *lines[2:]]]


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runtime.Upscaler]:
    with runtime.load(write_toy_bundle(tmp_path_factory.mktemp("kept") / "repeat.tadsr", gain=0)) as loaded:
        yield loaded


def photo(channels: int, dtype: type = np.uint8) -> np.ndarray:
    """Smooth in every channel, so that lossy formats change little: [H, W, channels]."""
    across, down = np.meshgrid(np.linspace(0, 1, STILL[0]), np.linspace(0, 1, STILL[1]))
    planes = [across, down, 1 - across, (across + down) / 2][-channels:]
    return (np.stack(planes, axis=-1) * np.iinfo(dtype).max).astype(dtype)


def exif(**tags: Any) -> bytes:
    made = Image.Exif()
    made[ExifTags.Base.Make] = "Camera"
    made.update({ExifTags.Base[name]: value for name, value in tags.items()})
    made[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: 0.01}
    return made.tobytes()


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def frames(path: Path) -> list[Image.Image]:
    with Image.open(path) as image:
        shown = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            shown.append(image.copy())
        return shown


def save(path: Path, channels: int = 3, dtype: type = np.uint8, **metadata: bytes) -> None:
    save_levels(photo(channels, dtype), Metadata(**metadata), path)


def save_animation(path: Path) -> None:
    shown = [Image.new("RGB", STILL, colour) for colour in ("red", "lime", "blue")]
    loop = {".gif": 2}.get(path.suffix, 3)
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=[100, 250, 30], loop=loop)


def close(image: Image.Image, expected: np.ndarray, tolerance: float) -> bool:
    """Whether the means over each four by four pixels are those of the picture that was enlarged."""
    levels = np.asarray(image, float).reshape(STILL[1], 4, STILL[0], 4, -1).mean((1, 3))
    return levels.shape == expected.shape and bool(np.abs(levels - expected).mean() <= tolerance)


def all_colours(path: Path) -> bool:
    return close(opened(path).convert("RGB"), photo(3), 2.5) and opened(path).mode == "RGB"


def soft_alpha(path: Path) -> bool:
    return opened(path).mode == "RGBA" and close(opened(path).getchannel("A"), photo(4)[..., 3:], 1.5)


def deep_colour(path: Path) -> bool:
    picture = runtime.pictures.picture.open_picture(path)
    return picture.dtype == np.uint16 and not picture.grey


def has_exif(path: Path) -> bool:
    found = opened(path).getexif()
    return found.get(ExifTags.Base.Make) == "Camera" and ExifTags.Base.ExposureTime in found.get_ifd(ExifTags.IFD.Exif)


def has_colours_of_frames(path: Path) -> bool:
    means = [np.asarray(frame.convert("RGB")).mean((0, 1)).argmax() for frame in frames(path)]
    return means == [0, 1, 2]


def durations(path: Path) -> bool:
    return [frame.info.get("duration") for frame in frames(path)] == [100, 250, 30]


@dataclass(frozen=True)
class Property:
    """What a picture can have: how to save one that has it, and whether a file still has it."""

    save: Callable[[Path], None]
    kept: Callable[[Path], bool]


PROPERTIES = {
    "colours, all of them": Property(save, all_colours),
    "grey as grey": Property(lambda path: save(path, 1), lambda path: opened(path).mode == "L"),
    "soft transparency": Property(lambda path: save(path, 4), soft_alpha),
    "16-bit grey": Property(lambda path: save(path, 1, np.uint16), lambda path: opened(path).mode == "I;16"),
    "16-bit colour": Property(lambda path: save(path, 3, np.uint16), deep_colour),
    "ICC profile": Property(
        lambda path: save(path, icc_profile=PROFILE), lambda path: opened(path).info.get("icc_profile") == PROFILE
    ),
    "EXIF": Property(lambda path: save(path, exif=exif()), has_exif),
    "XMP": Property(lambda path: save(path, xmp=XMP), lambda path: b"a title" in opened(path).info.get("xmp", b"")),
    "EXIF orientation, applied": Property(
        lambda path: save(path, exif=exif(Orientation=6)),
        lambda path: opened(path).size == (4 * STILL[1], 4 * STILL[0]) and 274 not in opened(path).getexif(),
    ),
    "frames or pages": Property(save_animation, has_colours_of_frames),
    "durations of frames": Property(save_animation, durations),
    "number of loops": Property(
        save_animation, lambda path: opened(path).info.get("loop") == {".gif": 2}.get(path.suffix, 3)
    ),
}

ROWS = table("kept")
CELLS = [
    pytest.param(row[0], form, mark, id=f"{row[0]}-{form}")
    for row in ROWS[1:]
    for form, mark in zip(ROWS[0][1:], row[1:], strict=True)
    if mark
]


@pytest.mark.filterwarnings("ignore::runtime.PictureWarning")
@pytest.mark.parametrize(("what", "form", "mark"), CELLS)
def test_what_is_kept(what: str, form: str, mark: str, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    """A mark – is tested too, with a PNG that has everything: the table should not say less than is true."""
    wanted = PROPERTIES[what]
    suffix = SUFFIXES[form]
    source = tmp_path / f"in{suffix if mark == '✓' else '.png'}"
    wanted.save(source)
    if mark == "✓":
        upscaler.to_file(source, tmp_path / f"out{suffix}")
        assert wanted.kept(tmp_path / f"out{suffix}")
    else:
        assert mark == "–"
        try:
            upscaler.to_file(source, tmp_path / f"out{suffix}")
        except runtime.PictureError:
            assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
        else:
            assert not wanted.kept(tmp_path / f"out{suffix}")


def test_the_tables_speak_of_all_that_is_written() -> None:
    assert {*ROWS[0][1:]} == {*SUFFIXES}
    assert {row[0] for row in ROWS[1:]} == {*PROPERTIES}
    assert {row[0] for row in table("kinds")[1:]} == {*KINDS}
    assert {form.name for form in runtime.pictures.formats.FORMATS.values()} == {
        runtime.pictures.formats.FORMATS[suffix].name for suffix in SUFFIXES.values()
    }


@pytest.mark.parametrize("form", [form for form, mark in zip(ROWS[0][1:], ROWS[6][1:], strict=True) if mark == "✓"])
def test_strip_metadata(form: str, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    suffix = SUFFIXES[form]
    save(tmp_path / f"in{suffix}", exif=exif(), xmp=XMP, icc_profile=PROFILE)
    upscaler.to_file(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", strip_metadata=True)
    assert not has_exif(tmp_path / f"out{suffix}")
    assert b"a title" not in (tmp_path / f"out{suffix}").read_bytes()
    assert opened(tmp_path / f"out{suffix}").info["icc_profile"] == PROFILE


def save_mode(mode: str, suffix: str = ".png", **options: Any) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        levels = photo(3)
        levels[0, 0] = 0
        image = Image.fromarray(levels).convert(mode)
        if mode == "P":
            image = Image.fromarray(levels).quantize(16)
        image.save(folder / f"in{suffix}", **options)
        return folder / f"in{suffix}"

    return save


def save_deep(channels: int) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        save_levels(photo(channels, np.uint16), Metadata(), folder / "in.png")
        return folder / "in.png"

    return save


def save_grey_alpha(folder: Path) -> Path:
    save_picture(as_image(photo(2), Metadata()), folder / "in.png")
    return folder / "in.png"


def save_16_bit_key(folder: Path) -> Path:
    Image.fromarray(photo(1, np.uint16)[..., 0]).save(folder / "in.png", transparency=0)
    return folder / "in.png"


KINDS: dict[str, Callable[[Path], Path]] = {
    "1-bit": save_mode("1"),
    "8-bit grey": save_mode("L"),
    "grey with alpha": save_grey_alpha,
    "grey with a transparent level": save_mode("L", transparency=0),
    "palette": save_mode("P"),
    "palette with transparency": save_mode("P", transparency=0),
    "RGB": save_mode("RGB"),
    "RGB with a transparent colour": save_mode("RGB", transparency=(0, 0, 0)),
    "RGBA": lambda folder: (save(folder / "in.png", 4), folder / "in.png")[1],
    "CMYK JPEG": save_mode("CMYK", ".jpg"),
    "YCbCr JPEG": save_mode("YCbCr", ".jpg"),
    "16-bit grey": save_deep(1),
    "16-bit grey with a transparent level": save_16_bit_key,
    "16-bit grey with alpha": save_deep(2),
    "16-bit RGB": save_deep(3),
    "16-bit RGBA": save_deep(4),
}
OUT = {
    "8-bit grey": (np.uint8, 1),
    "grey with alpha": (np.uint8, 2),
    "RGB": (np.uint8, 3),
    "RGBA": (np.uint8, 4),
    "16-bit grey": (np.uint16, 1),
    "16-bit grey with alpha": (np.uint16, 2),
    "16-bit RGB": (np.uint16, 3),
    "16-bit RGBA": (np.uint16, 4),
}


@pytest.mark.parametrize(("kind", "expected"), table("kinds")[1:])
def test_kinds_of_pixels(kind: str, expected: str, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    source = KINDS[kind](tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        upscaler.to_file(source, tmp_path / "out.png")
    before, after = (runtime.pictures.picture_file.decode_file(path).levels for path in (source, tmp_path / "out.png"))
    assert (after.dtype, after.shape[2]) == OUT[expected]
    peak = np.iinfo(after.dtype).max
    enlarged = before.repeat(4, axis=0).repeat(4, axis=1).astype(float)
    if after.shape[2] in (2, 4):
        visible = enlarged[..., -1:] > peak / 20  # what is all but clear comes back with fewer levels
        enlarged, after = np.where(visible, enlarged, 0), np.where(visible, after, 0)
    np.testing.assert_allclose(after, enlarged, atol=peak / 255)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colour_is_turned_too(form: str, orientation: int, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    suffix = SUFFIXES[form]
    save(tmp_path / f"in{suffix}", 3, np.uint16, exif=exif(Orientation=orientation))
    upscaler.to_file(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}")
    expected = turned(photo(3, np.uint16), orientation).repeat(4, axis=0).repeat(4, axis=1)
    after = runtime.pictures.picture_file.decode_file(tmp_path / f"out{suffix}")
    np.testing.assert_allclose(after.levels, expected, atol=1)
    assert opened(tmp_path / f"out{suffix}").getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_a_grey_profile_stays_with_grey(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    save(tmp_path / "in.png", 1, icc_profile=grey_profile())
    upscaler.to_file(tmp_path / "in.png", tmp_path / "out.jpg")
    assert opened(tmp_path / "out.jpg").info["icc_profile"] == grey_profile()
