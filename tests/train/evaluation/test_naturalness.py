"""The features against scipy and known distributions; the shipped Gaussian on sharp, blurred and noisy pictures."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy import ndimage, special
from skimage import data

from runtime.errors import TadsrError
from tests.shared import validation
from train.evaluation import fit_naturalness as naturalness
from train.evaluation import metrics, niqe


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A 512x512 photograph: scikit-image's astronaut (NASA, public domain)."""
    return data.astronaut()


def samples(alpha: float, left: float, right: float, count: int, seed: int = 0) -> np.ndarray:
    """Draws from an asymmetric generalised Gaussian: |x / scale| ** alpha is gamma distributed on either side."""
    rng = np.random.default_rng(seed)
    size = rng.gamma(1 / alpha, 1, count) ** (1 / alpha)
    return np.where(rng.random(count) < left / (left + right), -left * size, right * size)


@settings(derandomize=True, max_examples=25)
@given(st.floats(0.6, 4), st.floats(0.3, 3), st.floats(0.3, 3))
def test_fit_recovers_a_known_distribution(alpha: float, left: float, right: float) -> None:
    drawn = samples(alpha, left, right, 400_000)[None]
    found_alpha, found_mean, found_left, found_right = (float(value[0]) for value in niqe.fit_aggd(drawn))
    assert found_alpha == pytest.approx(alpha, rel=0.06)
    assert (found_left, found_right) == pytest.approx((left, right), rel=0.06)
    expected_mean = (right - left) * special.gamma(2 / alpha) / special.gamma(1 / alpha)
    assert found_mean == pytest.approx(expected_mean, abs=0.06 * (left + right))


def reference_aggd(values: np.ndarray) -> list[float]:
    """The published code's estimate, one vector at a time: nearest of all table entries, scipy's gamma function."""
    left, right = (np.sqrt(np.mean(side**2)) for side in (values[values < 0], values[values > 0]))
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    table = np.arange(0.2, 10.0005, 0.001)
    gamma1, gamma2, gamma3 = (special.gamma(k / table) for k in (1, 2, 3))
    index = np.argmin((gamma2**2 / (gamma1 * gamma3) - ratio) ** 2)
    left, right = (side * np.sqrt(gamma1[index] / gamma3[index]) for side in (left, right))
    return [table[index], (right - left) * gamma2[index] / gamma1[index], left, right]


def test_features_equal_the_published_recipe(photo: np.ndarray) -> None:
    luma = metrics.luma(photo)[:192, :288]
    half = np.asarray(Image.fromarray(luma.astype(np.float32)).resize((144, 96), Image.Resampling.BICUBIC), float)
    window = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(window, window) / window.sum() ** 2
    expected: list[list[float]] = []
    for top in (0, 1):
        for left in (0, 1, 2):
            row: list[float] = []
            for plane, size in ((luma, 96), (half, 48)):
                mean = ndimage.correlate(plane, window, mode="nearest")
                deviation = np.sqrt(np.abs(ndimage.correlate(plane**2, window, mode="nearest") - mean**2))
                coefficients = np.round((plane - mean) / (deviation + 1), 4)
                block = coefficients[top * size :, left * size :][:size, :size]
                alpha, _, scale_left, scale_right = reference_aggd(block.ravel())
                row += [alpha, (scale_left + scale_right) / 2]
                for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    row += reference_aggd((block * np.roll(block, shift, axis=(0, 1))).ravel())
            expected.append(row)
    features, sharpness = niqe.patch_features(luma)
    np.testing.assert_allclose(features, expected, rtol=1e-6, atol=1e-8)
    assert sharpness.shape == (6,)


def test_what_is_left_over_is_not_looked_at(photo: np.ndarray) -> None:
    luma = metrics.luma(photo)
    whole, _ = niqe.patch_features(luma[:192, :192])
    cut, _ = niqe.patch_features(luma[:287, :200])
    np.testing.assert_array_equal(whole, cut[:4])
    assert niqe.patch_features(luma[:95])[0].shape == (0, 36)


def test_patches_without_texture_are_left_out(photo: np.ndarray) -> None:
    half_flat = photo[:192, :192].copy()
    half_flat[:96] = 250
    assert len(niqe.patch_features(metrics.luma(half_flat))[0]) == 2
    half_flat[:] = 250
    assert math.isnan(metrics.naturalness(half_flat))
    assert math.isnan(metrics.naturalness(photo[:96, :96]))


def test_distance_is_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(36, 36))
    a = niqe.Gaussian(rng.normal(size=36), root @ root.T)
    b = niqe.Gaussian(rng.normal(size=36), a.covariance)
    assert niqe.distance(a, b) == pytest.approx(np.linalg.norm(np.linalg.solve(root, a.mean - b.mean)))
    assert niqe.distance(a, b) == pytest.approx(niqe.distance(b, a))
    assert niqe.distance(a, a) == 0


def test_blur_noise_and_blocks_are_less_natural(photo: np.ndarray) -> None:
    image = Image.fromarray(photo)
    sharp = metrics.naturalness(photo)
    blurred = [metrics.naturalness(np.asarray(image.filter(ImageFilter.GaussianBlur(r)))) for r in (1, 2)]
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 25, photo.shape), 0, 255).astype(np.uint8)
    small = image.resize((128, 128), Image.Resampling.BOX)
    assert sharp < blurred[0] < blurred[1]
    assert metrics.naturalness(noisy) > sharp + 1
    assert metrics.naturalness(np.asarray(small.resize((512, 512), Image.Resampling.NEAREST))) > sharp + 2


def test_shipped_statistics_say_where_they_come_from() -> None:
    with np.load(metrics.NATURAL, allow_pickle=False) as stored:
        assert (
            stored["command"].item() == "python -m train.naturalness --photos PHOTOS --licences free"
        )  # as it was called
        assert len(stored["photos"]) > 200
        assert stored["patches"].item() > 1000
        assert np.linalg.eigvalsh(stored["covariance"]).min() > 0
    assert metrics.NATURAL.stat().st_size < 50_000


def test_broken_statistics_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "naturalness.npz"
    with pytest.raises(TadsrError, match="install tadsr again"):
        niqe.load_gaussian(path)
    for content in (b"", b"PK\x03\x04 cut short", b"text"):
        path.write_bytes(content)
        with pytest.raises(TadsrError, match="install tadsr again"):
            niqe.load_gaussian(path)
    np.savez(path, mean=np.zeros(3), covariance=np.eye(3))
    with pytest.raises(TadsrError, match="does not hold statistics of 36 features"):
        niqe.load_gaussian(path)


def test_fitting_command_writes_what_the_metric_reads(tmp_path: Path, photo: np.ndarray) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, angle in enumerate((0, 90, 180, 270)):
        for scale in (512, 400, 300):
            turned = Image.fromarray(photo).rotate(angle).resize((scale, scale), Image.Resampling.LANCZOS)
            turned.save(photos / f"{index}_{scale}.png")
    Image.fromarray(photo[:50, :50]).save(photos / "too small.png")
    arguments = ["--photos", str(photos), "-o", str(tmp_path / "fit.npz")]
    with pytest.raises(TadsrError, match="too few"):  # 12 pictures have too few sharp patches
        naturalness.main(arguments)
    assert not (tmp_path / "fit.npz").exists()

    for index in range(24):
        Image.fromarray(np.roll(photo, 13 * index, axis=(0, 1))).save(photos / f"more{index}.png")
    naturalness.main(arguments)
    gaussian = niqe.load_gaussian(tmp_path / "fit.npz")
    with np.load(tmp_path / "fit.npz") as stored:
        assert "too small.png" not in stored["photos"]
        assert stored["patches"].item() >= 72
        assert stored["command"].item().startswith("python -m train.evaluation.fit_naturalness --photos")
    features = np.concatenate([naturalness.sharp_features(path) for path in photos.iterdir()])
    np.testing.assert_allclose(gaussian.mean, features.mean(axis=0))
    np.testing.assert_allclose(gaussian.covariance, np.cov(features.T), atol=1e-12)
    naturalness.main(arguments)
    again = niqe.load_gaussian(tmp_path / "fit.npz")
    np.testing.assert_array_equal(gaussian.covariance, again.covariance)


def test_only_sharp_patches_are_fitted(tmp_path: Path, photo: np.ndarray) -> None:
    soft = photo.copy()
    soft[:, :288] = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(4)))[:, :288]
    Image.fromarray(soft).save(tmp_path / "half soft.png")
    chosen = naturalness.sharp_features(tmp_path / "half soft.png")
    features, sharpness = niqe.patch_features(metrics.luma(soft))
    in_soft_half = np.arange(25) % 5 < 2
    np.testing.assert_array_equal(chosen, features[sharpness > 0.75 * sharpness.max()])
    assert len(chosen) >= 1
    assert not (sharpness > 0.75 * sharpness.max())[in_soft_half].any()


@pytest.mark.parametrize("content", [None, b"", b"not a picture"])
def test_fitting_command_refuses_bad_photos(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(TadsrError):
        naturalness.main(["--photos", str(tmp_path), "-o", str(tmp_path / "out.npz")])
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.slow
def test_validation_pictures_rank_as_they_look() -> None:
    rows = [[metrics.naturalness(image) for image in (hr, peer, bicubic)] for hr, bicubic, peer in validation()]
    hr_score, peer_score, bicubic_score = np.mean(rows, axis=0)
    assert hr_score + 0.5 < peer_score < bicubic_score - 2
