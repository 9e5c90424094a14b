"""`tadsr upscale` over photos of real users: each comes out four times larger, upright and in its own colours."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from runtime.pictures.metadata import metadata_of_result, orientation, read_metadata
from tests.apps.commands import Tadsr
from tests.shared import shared

COMMITTED = Path(__file__).parents[2] / "photos" / "LR"
SMALL = 160
"""Side to which photos are cut for the quick test."""


def check(before: Path, after: Path) -> None:
    """Size, mode, orientation and profile of a result; and that it shows the same as the photo."""
    with Image.open(before) as photo, Image.open(after) as result:
        upright = ImageOps.exif_transpose(photo)
        assert result.size == (4 * upright.width, 4 * upright.height)
        assert orientation(result) == 1
        assert (result.mode in ("L", "LA")) == (photo.mode in ("1", "L", "LA"))
        expected = read_metadata(photo, grey=photo.mode in ("1", "L", "LA"), name=str(before))
        assert metadata_of_result(result).icc_profile == expected.icc_profile
        seen, wanted = (np.asarray(image.convert("RGB").resize((8, 8)), float) for image in (result, upright))
        assert np.abs(seen - wanted).mean() < 4


def test_committed_photos_as_cameras_and_editors_save_them(tadsr: Tadsr, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for path in sorted(COMMITTED.glob("*.png")):
        with Image.open(path) as photo:
            photo.save(tmp_path / "in" / f"{path.stem}.jpg", quality=95, exif=turned)
            photo.save(tmp_path / "in" / f"{path.stem}.webp", quality=95, icc_profile=profile)
            photo.convert("L").save(tmp_path / "in" / f"{path.stem}.png")
    done = tadsr("upscale", tmp_path / "in", "-o", tmp_path / "out", "--precision", "int8")
    assert (done.code, done.err) == (0, "")
    pictures = sorted((tmp_path / "in").iterdir())
    assert len(pictures) == 12
    for path in pictures:
        check(path, tmp_path / "out" / path.name)


def test_real_photos_cut_small(tadsr: Tadsr, tmp_path: Path) -> None:
    for path in sorted(shared("data/real").iterdir()):
        with Image.open(path) as photo:
            photo.load()
            keep = {name: photo.info[name] for name in ("exif", "icc_profile") if name in photo.info}
            (tmp_path / "in").mkdir(exist_ok=True)
            photo.crop((0, 0, min(photo.width, SMALL), min(photo.height, SMALL))).save(
                tmp_path / "in" / path.with_suffix(".png").name, **keep
            )
    done = tadsr("upscale", tmp_path / "in", "-o", tmp_path / "out", "--precision", "int8")
    assert (done.code, done.err) == (0, "")
    pictures = sorted((tmp_path / "in").iterdir())
    assert len(pictures) > 40
    for path in pictures:
        check(path, tmp_path / "out" / path.name)


@pytest.mark.slow
def test_real_photos(tadsr: Tadsr, tmp_path: Path) -> None:
    photos = shared("data/real")
    done = tadsr("upscale", photos, "-o", tmp_path)
    assert (done.code, done.err) == (0, "")
    for path in sorted(photos.iterdir()):
        check(path, tmp_path / path.name)
