"""Colours stay what they are: CIEDE2000 between the input and the result reduced to its size by area means.

The bounds are the project's: 1 on average, 0.5 in flat areas, for every file of the shipped bundle.
"""

import colorsys
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import deltaE_ciede2000

import runtime
from tests.runtime.pictures.profiles import PRIMARIES, rgb_profile
from train.data.photos import load_photo
from train.evaluation.metrics import lab

PHOTOS = sorted((Path(__file__).parents[1] / "photos" / "HR").glob("*.png"))
MEAN, FLAT = 1.0, 0.5
PATCH = 32
AREA = 16
"""Side of the areas, in pixels of the input, whose mean colours no restored texture changes."""

Colours = np.ndarray


@pytest.fixture(scope="module", params=["fp32", "int8"])
def upscaler(request: pytest.FixtureRequest) -> Iterator[runtime.Upscaler]:
    with runtime.load(precision=request.param, threads=2) as loaded:
        yield loaded


def reduced(picture: Colours, factor: int) -> Colours:
    """Means over squares of `factor` pixels; what does not fill a square is left out."""
    height, width = (side // factor for side in picture.shape[:2])
    whole = picture[: height * factor, : width * factor].astype(float)
    return whole.reshape(height, factor, width, factor, -1).mean((1, 3))


def difference(upscaler: Callable[[Colours], Colours], picture: Colours, area: int = 1) -> Colours:
    """CIEDE2000 at each square of `area` pixels of the input."""
    return deltaE_ciede2000(lab(reduced(picture, area)), lab(reduced(upscaler(picture), 4 * area)))


def chart() -> Colours:
    """Patches of 12 hues in 5 strengths and shades, and 12 greys."""
    strengths = [(1, 1), (0.6, 1), (1, 0.6), (0.8, 0.35), (0.35, 0.8)]
    rows = [[colorsys.hsv_to_rgb(hue / 12, *strength) for hue in range(12)] for strength in strengths]
    rows.append([(level / 11,) * 3 for level in range(12)])
    return np.rint(255 * np.array(rows)).astype(np.uint8).repeat(PATCH, 0).repeat(PATCH, 1)


def flat_differences(upscaler: Callable[[Colours], Colours]) -> Colours:
    """The mean inside each patch of the chart, [6, 12]."""
    apart = difference(upscaler, chart()).reshape(6, PATCH, 12, PATCH)
    return apart[:, 12:-12, :, 12:-12].mean((1, 3))


def test_chart(upscaler: runtime.Upscaler) -> None:
    assert difference(upscaler, chart()).mean() <= MEAN


def test_flat_areas(upscaler: runtime.Upscaler) -> None:
    assert flat_differences(upscaler).mean() <= FLAT


def test_every_single_flat_area(upscaler: runtime.Upscaler) -> None:
    assert flat_differences(upscaler).max() <= FLAT


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_photos_pixel_by_pixel(upscaler: runtime.Upscaler, path: Path) -> None:
    assert difference(upscaler, load_photo(path)).mean() <= MEAN


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_photos_area_by_area(upscaler: runtime.Upscaler, path: Path) -> None:
    """Where pixels differ because texture was restored, and not because colours moved, areas agree."""
    assert difference(upscaler, load_photo(path), AREA).mean() <= FLAT


def managed_lab(path: Path, area: int, profile: bytes | None = None) -> Colours:
    """Mean L*a*b* of squares of a picture file as a colour management system sees them, [h, w, 3]."""
    with Image.open(path) as image:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile or image.info["icc_profile"]))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("LAB", 6504), "RGB", "LAB")
        seen = np.asarray(ImageCms.applyTransform(image.convert("RGB"), transform))
    channels = seen[..., 0] / 2.55, seen[..., 1].view(np.int8), seen[..., 2].view(np.int8)
    return reduced(np.stack([channel.astype(float) for channel in channels], axis=-1), area)


@pytest.mark.parametrize("space", PRIMARIES)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_wide_gamuts_look_the_same(upscaler: runtime.Upscaler, space: str, suffix: str, tmp_path: Path) -> None:
    """Whatever the profile makes of the numbers: also where nothing in sRGB looks like it."""
    before, after = tmp_path / "before.png", tmp_path / f"after{suffix}"
    Image.fromarray(chart()).save(before, icc_profile=rgb_profile(space))
    upscaler.to_file(before, after)
    seen = managed_lab(before, PATCH)
    assert deltaE_ciede2000(seen, managed_lab(after, 4 * PATCH)).mean() <= FLAT
    untagged = managed_lab(after, 4 * PATCH, profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert deltaE_ciede2000(seen, untagged).mean() > 2 * FLAT  # the test can fail
