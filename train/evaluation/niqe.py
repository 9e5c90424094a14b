"""The natural scene statistics behind the naturalness score: NIQE's features and distance.

A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality analyzer", IEEE Signal
Processing Letters 20(3), 2013. Everything here works on luma planes, (H, W) in 0..255. The Gaussian that a
picture is compared with is our own (`python -m train.evaluation.fit_naturalness`), so scores are not those of the
published model.
"""

import math
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from runtime.errors import TadsrError

Array = NDArray[np.float64]

PATCH = 96
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours whose products are looked at: right, below, both diagonals
FEATURES = 2 * (2 + 4 * len(SHIFTS))
SHARPNESS = 0.75  # a patch takes part in a fit where it is at least this sharp, relative to the picture's sharpest


class Gaussian(NamedTuple):
    """A multivariate Gaussian over patch features."""

    mean: Array
    """(36,)"""
    covariance: Array
    """(36, 36)"""


def mscn(luma: Array) -> tuple[Array, Array]:
    """Mean-subtracted, contrast-normalised coefficients and the local deviation, both (H, W) (equations 1 to 3).

    The window is Gaussian, 7 taps, sigma 7/6; edges are replicated; the constant that tames flat areas is 1.
    Coefficients are rounded to 1e-4, so that flat areas are 0 and the sign of rounding errors is not counted.
    """
    mean, mean_square = (gaussian_filter(plane, 7 / 6, radius=3, mode="nearest") for plane in (luma, luma**2))
    deviation = np.sqrt(np.abs(mean_square - mean**2))
    return np.round((luma - mean) / (deviation + 1), 4), deviation


def _shape_table() -> tuple[Array, Array, Array, Array]:
    alpha = np.arange(200, 10001) / 1000
    gamma1, gamma2, gamma3 = (np.array([math.gamma(k / a) for a in alpha]) for k in (1, 2, 3))
    return alpha, gamma2**2 / (gamma1 * gamma3), np.sqrt(gamma1 / gamma3), gamma2 / gamma1


_ALPHA, _RATIO, _SCALE, _MEAN = _shape_table()


def fit_aggd(samples: Array) -> tuple[Array, Array, Array, Array]:
    """Fits an asymmetric generalised Gaussian to each row of (N, K) samples by matching moments.

    N.-E. Lasmar, Y. Stitou, Y. Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009.
    Returns shape alpha (0.2 to 10, to 0.001), mean, left and right scale, each (N,). A row with no negative or no
    positive sample has no such fit and gives NaN.
    """
    square = samples**2
    negative, positive = samples < 0, samples > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sqrt((square * negative).sum(1) / negative.sum(1))
        right = np.sqrt((square * positive).sum(1) / positive.sum(1))
        skew = left / right
        ratio = np.abs(samples).mean(1) ** 2 / square.mean(1)
    target = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    # The ratio grows with alpha, so the nearest table entry is found by halving.
    above = np.clip(np.searchsorted(_RATIO, target), 1, len(_RATIO) - 1)
    nearest = above - (target - _RATIO[above - 1] < _RATIO[above] - target)
    left, right = left * _SCALE[nearest], right * _SCALE[nearest]
    alpha = np.where(np.isnan(target), np.nan, _ALPHA[nearest])
    return alpha, (right - left) * _MEAN[nearest], left, right


def _blocks(plane: Array, size: int) -> Array:
    rows, columns = plane.shape[0] // size, plane.shape[1] // size
    return plane.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)


def _scale_features(blocks: Array) -> Array:
    flat = blocks.reshape(len(blocks), -1)
    alpha, _, left, right = fit_aggd(flat)
    features = [alpha, (left + right) / 2]
    for shift in SHIFTS:
        features += fit_aggd(flat * np.roll(blocks, shift, axis=(1, 2)).reshape(flat.shape))
    return np.stack(features, axis=1)


def patch_features(luma: Array) -> tuple[Array, Array]:
    """The 36 features and the sharpness of every 96x96 patch that has texture.

    Takes luma (H, W) in 0..255. Patches lie side by side from the top left corner; what is left over at the right and
    bottom is not looked at. Features are 18 at full size, then 18 at half size: the shape and scale of the
    coefficients, and for the product with each of four neighbours shape, mean, left and right scale.
    Returns features (N, 36) and sharpness (N,), the mean local deviation; N is 0 for a picture smaller than a patch.
    """
    height, width = (size // PATCH * PATCH for size in luma.shape)
    if not (height and width):
        return np.empty((0, FEATURES)), np.empty(0)
    luma = luma[:height, :width]
    half = Image.fromarray(luma.astype(np.float32)).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    coefficients, deviation = mscn(luma)
    coefficients_half, _ = mscn(np.asarray(half, np.float64))
    features = np.concatenate(
        [_scale_features(_blocks(coefficients, PATCH)), _scale_features(_blocks(coefficients_half, PATCH // 2))], axis=1
    )
    textured = np.isfinite(features).all(axis=1)
    return features[textured], _blocks(deviation, PATCH).mean(axis=(1, 2))[textured]


def fit_gaussian(features: Array) -> Gaussian:
    """The Gaussian of (N, 36) features; N must be 2 or more."""
    return Gaussian(features.mean(axis=0), np.cov(features, rowvar=False))


def distance(a: Gaussian, b: Gaussian) -> float:
    """sqrt((m_a - m_b)' ((C_a + C_b) / 2)^-1 (m_a - m_b)) (equation 10); 0 for equal means."""
    difference = a.mean - b.mean
    inverse = np.linalg.pinv((a.covariance + b.covariance) / 2)
    return math.sqrt(max(0.0, float(difference @ inverse @ difference)))


def load_gaussian(path: Path) -> Gaussian:
    """Reads what `python -m train.evaluation.fit_naturalness` wrote.

    Raises `TadsrError` where the file is missing, broken or does not hold 36 features.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            gaussian = Gaussian(stored["mean"], stored["covariance"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TadsrError(f"cannot read the naturalness statistics {path}: {error}; install tadsr again") from error
    if gaussian.mean.shape != (FEATURES,) or gaussian.covariance.shape != (FEATURES, FEATURES):
        raise TadsrError(f"{path} does not hold statistics of {FEATURES} features; install tadsr again")
    return gaussian
