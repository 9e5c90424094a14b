"""The shipped bundle keeps what it promises: better than bicubic, true colours, tiles that cannot be seen."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import runtime
from tests.shared import shared
from train import scoring
from train.degradation import DegradationSettings, degrade
from train.evaluate import find_pairs, restored

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def upscaler() -> runtime.Upscaler:
    return runtime.load(threads=2)


def photos() -> dict[str, Picture]:
    """Public-domain and CC0 photos that come with scikit-image; none of them was trained on."""
    from skimage import data

    return {name: getattr(data, name)()[:256, :384] for name in ("astronaut", "chelsea", "coffee", "rocket")}


@pytest.mark.slow
def test_validation_pairs(upscaler: runtime.Upscaler) -> None:
    """The floor of the first release: bicubic's luma PSNR and SSIM are 23.39 dB and 0.622 on these pairs."""
    pairs = find_pairs(shared("data/val"))
    rows = scoring.score_all(restored(lambda lr, hr: upscaler(lr), pairs, save=None))
    mean = scoring.mean(rows.values())
    assert mean["psnr_y"] >= 23.39
    assert mean["ssim_y"] >= 0.622 + 0.01
    assert mean["cast"] < 1.0


@pytest.mark.slow
def test_degraded_photos_come_out_closer_to_the_originals_than_bicubic(upscaler: runtime.Upscaler) -> None:
    import torch

    gains = []
    for seed, photo in enumerate(photos().values()):
        hq = torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32)) / 255
        lq = degrade(hq, np.random.default_rng(seed), DegradationSettings())
        lr = (lq * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        ours, bicubic = (
            scoring.score(sr, photo, scoring.bicubic(lr, 4)) for sr in (upscaler(lr), scoring.bicubic(lr, 4))
        )
        gains.append((ours["psnr_y"] - bicubic["psnr_y"], ours["ssim_y"] - bicubic["ssim_y"]))
        assert ours["cast"] < 1.5
    assert np.mean(gains, axis=0)[0] > 0
    assert np.mean(gains, axis=0)[1] > 0.01


@pytest.mark.parametrize("kind", ["photo", "gradient", "grey", "noise"])
def test_tiles_cannot_be_seen(upscaler: runtime.Upscaler, kind: str) -> None:
    picture = {
        "photo": photos()["coffee"][:227, :301],
        "gradient": np.broadcast_to(np.linspace(0, 255, 301).astype(np.uint8)[None, :, None], (227, 301, 3)).copy(),
        "grey": np.full((227, 301, 3), 119, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (227, 301, 3), dtype=np.uint8),
    }[kind]
    whole = upscaler(picture, tile=304).astype(int)
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
