from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.errors import PictureError, PictureWarning
from runtime.pictures.formats import FORMATS
from runtime.pictures.frames import FOREVER, Timing, read_frames, save_frames
from tests.conftest import write_toy_bundle
from tests.runtime.engines import watched
from tests.runtime.pictures.levels import timing_of

SIZE = (20, 12)


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runtime.Upscaler]:
    with runtime.load(write_toy_bundle(tmp_path_factory.mktemp("frames") / "repeat.tadsr", gain=0)) as loaded:
        yield loaded


def moving(mode: str = "RGBA") -> list[Image.Image]:
    """A bar that moves over a clear background: what it leaves must become clear again."""
    frames = []
    for step in range(4):
        pixels = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
        pixels[:, 4 * step : 4 * step + 6] = (250, 60 * step, 9, 255)
        frames.append(Image.fromarray(pixels).convert(mode))
    return frames


def write(path: Path, frames: list[Image.Image], **options: object) -> Path:
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def save(frames: list[Image.Image], timing: Timing, path: Path) -> None:
    save_frames(frames, timing, FORMATS[path.suffix], path)


def rgba(path: Path) -> list[np.ndarray]:
    return [np.asarray(frame.convert("RGBA")) for frame in read_frames(path)]


@pytest.mark.parametrize("target", [".gif", ".png", ".webp", ".avif", ".tif"])
@pytest.mark.parametrize("source", [".gif", ".png"])
@pytest.mark.filterwarnings("ignore:.*holds no timing")
def test_a_clear_background_stays_clear(source: str, target: str, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    options = {"disposal": 2} if source == ".gif" else {}
    path = write(tmp_path / f"in{source}", moving(), duration=[100, 200, 300, 50], loop=0, **options)
    assert upscaler.to_file(path, tmp_path / f"out{target}") == (4 * SIZE[0], 4 * SIZE[1])
    before, after = rgba(path), rgba(tmp_path / f"out{target}")
    assert len(after) == 4
    for small, large in zip(before, after, strict=True):
        enlarged = small.repeat(4, axis=0).repeat(4, axis=1)
        assert np.abs(large[..., 3].astype(int) - enlarged[..., 3]).mean() < 3  # lossy formats have soft edges
        seen = (large.astype(float) - enlarged)[..., :3] * enlarged[..., 3:] / 255
        assert np.abs(seen).mean() < 12


# Shown once, three times, forever: in a GIF it is counts how often an animation is repeated.
@pytest.mark.parametrize(("plays", "in_gif"), [(1, None), (3, 2), (FOREVER, 0)])
def test_loops_are_counted_alike(plays: int, in_gif: int | None, tmp_path: Path) -> None:
    options = {} if in_gif is None else {"loop": in_gif}
    path = write(tmp_path / "a.gif", moving("RGB"), duration=100, **options)
    assert timing_of(path) == Timing((100, 100, 100, 100), plays)
    for suffix in (".png", ".webp", ".gif"):
        save(list(read_frames(path)), Timing((100,) * 4, plays), tmp_path / f"b{suffix}")
        assert timing_of(tmp_path / f"b{suffix}") == Timing((100,) * 4, plays)


def test_still_pictures_have_no_timing(tmp_path: Path) -> None:
    Image.new("RGB", SIZE).save(tmp_path / "still.png")
    assert timing_of(tmp_path / "still.png") is None


def test_equal_frames_become_one_of_both_durations(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    red, blue = Image.new("RGB", SIZE, "red"), Image.new("RGB", SIZE, "blue")
    path = write(tmp_path / "a.webp", [red, blue, red], duration=[100, 200, 300])
    save([red, red, blue], Timing((100, 200, 300)), tmp_path / "a.png")
    timing = timing_of(tmp_path / "a.png")
    assert timing is not None
    assert timing.durations == (300, 300)
    upscaler.to_file(path, tmp_path / "b.webp")
    assert timing_of(tmp_path / "b.webp") == timing_of(path)


def test_pages_keep_their_sizes_and_kinds(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    pages = [Image.new("L", (8, 4), 77), Image.new("RGB", (4, 12), "red"), Image.new("RGBA", (4, 4), (1, 2, 3, 99))]
    path = write(tmp_path / "pages.tif", pages)
    upscaler.to_file(path, tmp_path / "out.tif")
    pages_out = [(page.mode, page.size, page.getpixel((0, 0))) for page in read_frames(tmp_path / "out.tif")]
    assert pages_out == [("L", (32, 16), 77), ("RGB", (16, 48), (255, 0, 0)), ("RGBA", (16, 16), (1, 2, 3, 99))]


def test_a_gif_keeps_to_its_screen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", moving("RGB"), duration=100)
    data = bytearray(path.read_bytes())
    frame = data.rindex(b"\x2c")  # the descriptor of the last frame
    data[frame + 3 : frame + 5] = (300).to_bytes(2, "little")  # how far down it begins
    path.write_bytes(data)
    assert {frame.size for frame in read_frames(path)} == {SIZE}


def test_what_cannot_hold_them_is_said_before_the_work(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    animation = write(tmp_path / "a.gif", moving("RGB"), duration=100)
    pages = write(tmp_path / "b.tif", moving())
    for source, target, message in (
        (animation, "out.jpg", r"out\.jpg: JPEG cannot hold the 4 frames of this picture; save as \.png, \.webp or"),
        (animation, "out.bmp", "BMP cannot hold the 4 frames"),
        (pages, "out.png", r"PNG cannot hold the 4 pages of this picture; save as \.tif"),
    ):
        ran = watched(upscaler, lambda batch: pytest.fail("the network ran"))
        with pytest.raises(PictureError, match=message), ran:
            upscaler.to_file(source, tmp_path / target)
    assert {path.name for path in tmp_path.iterdir()} == {"a.gif", "b.tif"}


def test_a_lost_timing_is_said(tmp_path: Path) -> None:
    with pytest.warns(PictureWarning, match="TIFF holds no timing"):
        save(moving(), Timing((100,) * 4), tmp_path / "a.tif")


def test_the_still_picture_of_an_apng_is_no_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("white", "red", "blue")]
    path = write(tmp_path / "a.png", frames, default_image=True, duration=[100, 200])
    assert [frame.convert("RGB").getpixel((0, 0)) for frame in read_frames(path)] == [(255, 0, 0), (0, 0, 255)]


def test_the_previews_in_a_photo_are_no_frames(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", SIZE), Image.new("RGB", (5, 3))]
    pictures[0].save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=pictures[1:])
    with Image.open(tmp_path / "photo.jpg") as image:
        assert image.n_frames == 2
    assert timing_of(tmp_path / "photo.jpg") is None


def test_progress_goes_once_from_nothing_to_all(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", moving("RGB"), duration=100)
    counts: list[tuple[int, int]] = []
    upscaler.to_file(path, tmp_path / "b.png", progress=lambda *count: counts.append(count))
    assert counts == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_many_frames_are_a_bomb_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.gif", [Image.new("RGB", (100, 100), (i, 0, 0)) for i in range(9)])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    with pytest.raises(PictureError, match=r"a\.gif: 9 frames have more than 0\.04 megapixels"):
        timing_of(path)
