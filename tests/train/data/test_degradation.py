"""The degradation: its pieces against numbers of the official code, the whole by its promises."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared import golden
from train.data.degradation import DegradationSettings, degrade, kernels
from train.data.degradation.filters import filter2d
from train.data.degradation.jpeg import jpeg, quality_factor
from train.data.degradation.noise import gaussian_noise, poisson_noise
from train.data.degradation.pipeline import draw_blur
from train.data.degradation.resize import matlab_bicubic, resize

DEFAULTS = DegradationSettings()
QUALITIES = (35, 82)
GRAY = torch.full((3, 64, 64), 0.5)


@cache
def stored() -> dict[str, Any]:
    return dict(np.load(golden("degradation.npz")))


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((3, height, width), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("gauss_iso7", kernels.gaussian),
        ("gauss_aniso13", kernels.gaussian),
        ("gauss_aniso21", kernels.gaussian),
        ("gen_aniso15", kernels.gaussian),
        ("plateau_aniso15", kernels.plateau),
    ],
)
def test_blur_kernels_equal_the_official_ones(name: str, shape: Callable[..., kernels.Kernel]) -> None:
    size, *parameters = stored()[f"{name}_params"]
    np.testing.assert_allclose(shape(int(size), *parameters), stored()[name], rtol=1e-12, atol=1e-16)


def test_sinc_kernels_equal_the_official_ones() -> None:
    np.testing.assert_allclose(kernels.sinc(11, 1.2), stored()["sinc11_omega1p2"], rtol=0, atol=1e-15)
    padded = np.pad(kernels.sinc(9, 2.0), 3)
    np.testing.assert_allclose(padded, stored()["sinc9_omega2_pad15"], rtol=0, atol=1e-15)


@pytest.mark.parametrize("item", [0, 1])
def test_jpeg_equals_the_official_one(item: int) -> None:
    image = torch.from_numpy(stored()["image"][item])
    assert quality_factor(QUALITIES[item]) == pytest.approx(float(stored()["jpeg_quality"][item]))
    for ours, theirs in (
        (jpeg(image, QUALITIES[item]), stored()["jpeg_out"][item]),
        (jpeg(image[:, :43, :61], 50), stored()["jpeg_nonmult_out"][item]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("item", [0, 1])
def test_filter_equals_the_official_one(item: int) -> None:
    ours = filter2d(torch.from_numpy(stored()["image"][item]), stored()["filter2d_kernels"][item])
    np.testing.assert_allclose(ours, stored()["filter2d_out"][item], rtol=0, atol=1e-6)


def test_resizes_equal_the_official_ones() -> None:
    image = torch.from_numpy(stored()["image"][0])
    corner = image[:, :12, :16]
    for ours, theirs in (
        (matlab_bicubic(image, 0.25), stored()["matlab_down4"]),
        (matlab_bicubic(corner, 4), stored()["matlab_up4"]),
        (resize(corner, (48, 64), "bicubic"), stored()["torch_bicubic_up4"][0]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), second=st.booleans())
def test_blur_kernels_are_odd_squares_of_the_asked_size_and_keep_brightness(seed: int, second: bool) -> None:
    stage = DEFAULTS.second if second else DEFAULTS.first
    kernel = draw_blur(np.random.default_rng(seed), stage)
    low, high = stage.kernel_size
    assert kernel.shape == (len(kernel), len(kernel))
    assert low <= len(kernel) <= high
    assert len(kernel) % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


def test_a_picture_too_small_for_a_blur_is_refused() -> None:
    with pytest.raises(ValueError, match="too small for a 19-pixel blur"):
        filter2d(picture(9, 40), kernels.gaussian(19, 1.0, 1.0, 0.0))


@settings(max_examples=20)
@given(height=st.integers(1, 40), width=st.integers(1, 40), quality=st.floats(1, 99))
def test_jpeg_takes_any_size_and_stays_in_range(height: int, width: int, quality: float) -> None:
    image = picture(height, width)
    before = image.clone()
    result = jpeg(image, quality)
    assert result.shape == image.shape
    assert 0 <= result.min() <= result.max() <= 1
    assert torch.equal(image, before)


def test_jpeg_loses_more_at_a_lower_quality() -> None:
    smooth = resize(picture(8, 8), (64, 64), "bicubic").clamp(0, 1)
    errors = [float((jpeg(smooth, quality) - smooth).square().mean()) for quality in (10, 30, 60, 95)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(
    ("add", "strength", "deviation"),
    # A flat picture has one level, so one photon at white: level 128 of 255 makes Poisson noise of variance 128/255.
    [(gaussian_noise, 10.0, 10 / 255), (poisson_noise, 0.05, 0.05 * (128 / 255) ** 0.5)],
)
def test_noise_has_the_asked_strength(
    add: Callable[..., torch.Tensor], strength: float, deviation: float, gray: bool
) -> None:
    noise = add(GRAY, strength, gray, torch.Generator().manual_seed(1)) - GRAY
    assert float(noise.std()) == pytest.approx(deviation, rel=0.06)
    assert abs(float(noise.mean())) < deviation / 10
    assert torch.equal(noise[0], noise[1]) == gray


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), rows=st.integers(12, 30), columns=st.integers(12, 30))
def test_a_degraded_picture_depends_on_the_seed_alone(seed: int, rows: int, columns: int) -> None:
    hq = picture(4 * rows, 4 * columns)
    before = hq.clone()
    lq = degrade(hq, np.random.default_rng(seed), DEFAULTS)
    torch.manual_seed(seed % 7)
    again = degrade(hq, np.random.default_rng(seed), DEFAULTS)
    assert torch.equal(lq, again)
    assert torch.equal(hq, before)
    assert lq.shape == (3, rows, columns)
    assert lq.dtype == torch.float32
    assert 0 <= lq.min() <= lq.max() <= 1
    torch.testing.assert_close(lq * 255, (lq * 255).round(), rtol=0, atol=1e-4)


def test_every_setting_off_leaves_a_plain_reduction() -> None:
    still = replace(
        DEFAULTS.first, blur_prob=0.0, resize_prob=(0.0, 0.0, 1.0), gaussian_prob=1.0, gaussian_sigma=(0.0, 0.0)
    )
    plain = DegradationSettings(
        first=still,
        second_prob=0.0,
        jpeg_quality=(99.0, 99.0),
        final_sinc_prob=0.0,
    )
    smooth = resize(picture(4, 4), (64, 64), "bilinear")
    lq = degrade(smooth, np.random.default_rng(0), plain)
    # At quality 99 the chroma planes still lose their odd pixels.
    assert float((lq - resize(smooth, (16, 16), "area")).abs().mean()) < 0.03


def test_average_brightness_is_kept() -> None:
    hq = resize(picture(6, 6, seed=4), (96, 96), "bilinear")
    means = torch.stack([degrade(hq, np.random.default_rng(i), DEFAULTS).mean((1, 2)) for i in range(150)]).mean(0)
    torch.testing.assert_close(means, hq.mean((1, 2)), rtol=0, atol=0.01)


def test_light_pictures_lose_little() -> None:
    smooth = resize(picture(8, 8)[:1].expand(3, -1, -1), (64, 64), "bilinear")
    reduced = resize(smooth, (16, 16), "area")

    def loss(light_prob: float) -> float:
        settings = replace(DEFAULTS, light_prob=light_prob)
        made = (degrade(smooth, np.random.default_rng(seed), settings) for seed in range(20))
        return float(torch.stack([(each - reduced).abs().mean() for each in made]).mean())

    assert loss(1.0) < 0.5 * loss(0.0)
