"""The measures against published figures, scikit-image and their own definitions."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.shared import validation
from train.evaluation import metrics

COMPARE = [metrics.psnr_y, metrics.ssim_y, metrics.psnr_rgb, metrics.ssim_rgb, metrics.delta_e]


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    a = np.asarray(Image.fromarray(noise(0, 12, 16)).resize((80, 60), Image.Resampling.BICUBIC))
    return a, np.clip(a + np.random.default_rng(1).normal(0, 9, a.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (metrics.psnr_y, 26.960438955912807),
        (metrics.ssim_y, 0.8385727822219067),
        (metrics.psnr_rgb, 25.332455198463016),
        (metrics.ssim_rgb, 0.8079635252017106),
        (metrics.delta_e, 3.172473022298684),
    ],
)
def test_figures_stay_those_that_were_published(measure: Callable[..., float], value: float) -> None:
    """What the project's own formulas gave before a library computed them: every table in docs was made by them."""
    hr = data.astronaut()[96:352, 160:416]
    small = Image.fromarray(hr).resize((64, 64), Image.Resampling.BICUBIC)
    assert measure(small.resize((256, 256), Image.Resampling.BICUBIC), hr) == pytest.approx(value, abs=1e-6)


def test_naturalness_stays_what_it_was() -> None:
    assert metrics.naturalness(data.astronaut()) == pytest.approx(2.1196345823474894, abs=1e-6)


def test_delta_e_equals_scikit_image() -> None:
    a, b = noise(2, 40, 50), noise(3, 40, 50)
    np.testing.assert_allclose(metrics.lab(a), rgb2lab(a), atol=2e-2)
    assert metrics.delta_e(a, b) == pytest.approx(deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean(), abs=1e-3)


def test_grey_has_no_chroma() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    np.testing.assert_allclose(metrics.lab(grey)[..., 1:], 0, atol=1e-12)


def test_luma_is_studio_range() -> None:
    colours = np.array([[(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8)
    np.testing.assert_allclose(metrics.luma(colours), [[16, 235, 81.481, 144.553, 40.966]])


def test_psnr_and_ssim_equal_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (p[4:-4, 4:-4].astype(float) for p in pair)
    ya, yb = metrics.luma(a), metrics.luma(b)
    as_wang = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert metrics.psnr_rgb(*pair) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255))
    assert metrics.psnr_y(*pair) == pytest.approx(peak_signal_noise_ratio(ya, yb, data_range=255))
    assert metrics.ssim_rgb(*pair) == pytest.approx(structural_similarity(a, b, channel_axis=2, **as_wang), abs=1e-9)
    assert metrics.ssim_y(*pair) == pytest.approx(structural_similarity(ya, yb, **as_wang), abs=1e-9)


def test_psnr_of_a_known_difference() -> None:
    a = np.full((20, 20, 3), 100, np.uint8)
    assert metrics.psnr_rgb(a, a + 5) == pytest.approx(20 * math.log10(255 / 5))


def test_the_border_is_left_out(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, _ = pair
    b = a.copy()
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert metrics.psnr_y(a, b) == math.inf
    assert metrics.ssim_y(a, b) == pytest.approx(1)
    assert metrics.psnr_y(a, b, border=3) < 40


@settings(derandomize=True, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(19, 40), st.integers(19, 40))
def test_comparison_is_symmetric_and_perfect_for_itself(seed: int, height: int, width: int) -> None:
    a, b = noise(seed, height, width), noise(seed + 1, height, width)
    for measure in COMPARE:
        assert measure(a, b) == pytest.approx(measure(b, a))
    assert metrics.psnr_rgb(a, a) == math.inf
    assert metrics.ssim_rgb(a, a) == pytest.approx(1)
    assert metrics.delta_e(a, a) == 0
    assert -1 <= metrics.ssim_y(a, b) < 0.9


@pytest.mark.parametrize("measure", COMPARE)
def test_pictures_of_two_sizes_are_refused(measure: Callable[..., float]) -> None:
    with pytest.raises(metrics.MetricError, match="32x24 and 32x25"):
        measure(noise(0, 24, 32), noise(0, 25, 32))


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((20, 20), np.uint8), "convert it to RGB"),
        (np.zeros((20, 20, 4), np.uint8), "convert it to RGB"),
        (np.zeros((8, 30, 3), np.uint8), "border of 4"),
        (np.zeros((5, 30, 3), np.uint8), "border of 4"),
        (np.zeros((18, 30, 3), np.uint8), "at least 11"),
    ],
)
def test_what_cannot_be_compared_is_refused(picture: np.ndarray, message: str) -> None:
    with pytest.raises(metrics.MetricError, match=message):
        metrics.ssim_y(picture, picture)


def stripes(period: float, amplitude: float = 40) -> np.ndarray:
    wave = 128 + amplitude * np.sin(2 * np.pi * np.arange(256) / period)
    return np.repeat(np.tile(wave, (192, 1))[..., None], 3, axis=2)


def test_high_frequency_energy_is_that_of_the_band() -> None:
    power = (40 * 219 / 255) ** 2 / 2  # of the sine, in studio-range levels
    assert metrics.high_frequency_energy(stripes(5)) == pytest.approx(power, rel=0.01)
    assert metrics.high_frequency_energy(stripes(5).swapaxes(0, 1)) == pytest.approx(power, rel=0.01)
    assert metrics.high_frequency_energy(stripes(12)) < 1e-3 * power
    assert metrics.high_frequency_energy(stripes(12), cutoff=1 / 16) == pytest.approx(power, rel=0.01)
    assert metrics.high_frequency_energy(stripes(5, 20)) == pytest.approx(power / 4, rel=0.01)


def test_high_frequency_energy_of_a_ramp_is_none() -> None:
    ramp = np.repeat(np.tile(np.linspace(0, 255, 256), (64, 1))[..., None], 3, axis=2)
    assert metrics.high_frequency_energy(ramp) < 1e-2  # 2e2 without the window: the jump from right edge to left
    assert metrics.high_frequency_energy(np.full((1, 1, 3), 200, np.uint8)) == 0


@pytest.mark.slow
def test_validation_pairs_give_the_published_figures() -> None:
    measures = (metrics.psnr_y, metrics.ssim_y)
    rows = [[f(sr, hr) for sr in (bicubic, peer) for f in measures] for hr, bicubic, peer in validation()]
    assert len(rows) == 32
    published = np.array([23.39, 0.622, 22.66, 0.660])
    assert (np.abs(np.mean(rows, axis=0) - published) < [0.006, 6e-4, 0.006, 6e-4]).all()
