"""The shipped bundle keeps what it promises: better than bicubic, true colours, tiles that cannot be seen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from tests.shared import shared
from train.data.photos import load_photo
from train.evaluation import scoring
from train.evaluation.pairs import bicubic, find_pairs, restored

PHOTOS = Path(__file__).parents[1] / "photos"
"""Public-domain and CC0 photos; none of them was trained on."""


@pytest.fixture(scope="module")
def upscaler() -> runtime.Upscaler:
    return runtime.load(precision="fp32", threads=2)


@pytest.mark.slow
def test_validation_pairs(upscaler: runtime.Upscaler) -> None:
    """The floor of the first release: bicubic's luma PSNR and SSIM are 23.39 dB and 0.622 on these pairs."""
    pairs = find_pairs(shared("data/val"))
    rows = scoring.score_all(restored(lambda lr, hr: upscaler(lr), pairs))
    mean = scoring.mean(rows.values())
    assert mean["psnr_y"] >= 23.39
    assert mean["ssim_y"] >= 0.622 + 0.01
    assert mean["cast"] < 1.0


def test_degraded_photos_come_out_closer_to_the_originals_than_bicubic(upscaler: runtime.Upscaler) -> None:
    pairs = find_pairs(PHOTOS)
    ours = scoring.score_all(restored(lambda lr, hr: upscaler(lr), pairs))
    baseline = scoring.score_all(restored(bicubic, pairs))
    means = [scoring.mean(rows.values()) for rows in (ours, baseline)]
    assert means[0]["psnr_y"] > means[1]["psnr_y"]
    assert means[0]["ssim_y"] > means[1]["ssim_y"] + 0.01
    assert all(row["cast"] < 1.5 for row in ours.values())


@pytest.mark.parametrize("kind", ["photo", "gradient", "grey", "noise"])
def test_tiles_cannot_be_seen(upscaler: runtime.Upscaler, kind: str) -> None:
    height, width = 227, 256
    picture = {
        "photo": load_photo(PHOTOS / "HR" / "coffee.png")[:height],
        "gradient": np.broadcast_to(
            np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3)
        ).copy(),
        "grey": np.full((height, width, 3), 119, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8),
    }[kind]
    whole = upscaler(picture, tile=256).astype(int)
    fast = np.abs(upscaler(picture, tile=128) - whole)
    exact = np.abs(upscaler(picture, tile=200, seam="exact") - whole)
    assert exact.max() <= 1  # the same floats up to 1e-6, which may fall on either side of a rounding
    assert (exact > 0).mean() < 1e-4
    if kind != "noise":  # the fast seam is measured on photos; noise is no photo
        assert (fast <= 1).mean() >= 0.999


def test_every_real_photo_gets_through(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    for path in sorted(shared("data/real").iterdir())[::9]:
        result = upscaler(path)
        with Image.open(path) as source:
            assert result.size == (4 * source.width, 4 * source.height)
