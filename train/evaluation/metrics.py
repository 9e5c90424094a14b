"""How near a picture is to another, and how natural it looks on its own. Numpy only; one definition for every stage.

Pictures are (H, W, 3) sRGB in 0..255, uint8 or float. The conventions are the super-resolution field's: luma is studio
range (`luma`), peaks are 255, and PSNR and SSIM leave out `BORDER` pixels on every side, which for scale 4 is what
papers do. Functions that compare raise `MetricError` where the sizes differ or nothing remains inside the border.
"""

import functools
import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runtime.errors import TadsrError
from train.evaluation import niqe

Array = NDArray[np.float64]

BORDER = 4
LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # ITU-R BT.601, studio range
XYZ = np.array(  # linear sRGB to CIE XYZ, IEC 61966-2-1
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(axis=1)  # so that grey has no chroma at all
NATURAL = Path(__file__).with_name("naturalness.npz")


class MetricError(TadsrError):
    """Pictures that cannot be measured, or not against each other."""


def _picture(image: ArrayLike) -> Array:
    picture = np.asarray(image, np.float64)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise MetricError(
            f"expected a picture of shape (height, width, 3), got {picture.shape}; convert it to RGB first"
        )
    return picture


def _pair(sr: ArrayLike, hr: ArrayLike, border: int) -> tuple[Array, Array]:
    a, b = _picture(sr), _picture(hr)
    if a.shape != b.shape:
        sizes = " and ".join(f"{p.shape[1]}x{p.shape[0]}" for p in (a, b))
        raise MetricError(f"cannot compare pictures of {sizes}; crop or scale one to the other's size first")
    inside = slice(border, a.shape[0] - border), slice(border, a.shape[1] - border)
    a, b = a[inside], b[inside]
    if not a.size:
        raise MetricError(f"nothing is left of the picture inside a border of {border}; use a smaller border")
    return a, b


def luma(image: ArrayLike) -> Array:
    """BT.601 luma in studio range, 16 (black) to 235 (white), not rounded: MATLAB's rgb2ycbcr. Returns (H, W)."""
    return _picture(image) @ np.array(LUMA) + 16


def psnr(a: Array, b: Array) -> float:
    """10 log10(255² / mean squared difference) in dB over all samples; infinite for equal arrays."""
    error = float(np.mean((a - b) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: Array, b: Array) -> float:
    """Structural similarity of (H, W) or (H, W, C) arrays in 0..255, mean over positions and channels.

    Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004: Gaussian
    window of 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, only where the window fits. 1 for equal arrays. Raises
    `MetricError` for arrays smaller than the window.
    """
    if min(a.shape[:2]) < 11:
        raise MetricError(f"SSIM needs at least 11 pixels on each side, got {a.shape[1]}x{a.shape[0]}")
    window = niqe.gaussian_window(11, 1.5)
    mean_a, mean_b = niqe.filter_valid(a, window), niqe.filter_valid(b, window)
    variance = niqe.filter_valid(a * a + b * b, window) - mean_a**2 - mean_b**2
    covariance = niqe.filter_valid(a * b, window) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float(np.mean(similarity / ((mean_a**2 + mean_b**2 + c1) * (variance + c2))))


def psnr_y(sr: ArrayLike, hr: ArrayLike, border: int = BORDER) -> float:
    """`psnr` of the pictures' luma, `border` pixels left out on every side."""
    a, b = _pair(sr, hr, border)
    return psnr(luma(a), luma(b))


def ssim_y(sr: ArrayLike, hr: ArrayLike, border: int = BORDER) -> float:
    """`ssim` of the pictures' luma, `border` pixels left out on every side."""
    a, b = _pair(sr, hr, border)
    return ssim(luma(a), luma(b))


def psnr_rgb(sr: ArrayLike, hr: ArrayLike, border: int = BORDER) -> float:
    """`psnr` over the three channels together, `border` pixels left out on every side."""
    return psnr(*_pair(sr, hr, border))


def ssim_rgb(sr: ArrayLike, hr: ArrayLike, border: int = BORDER) -> float:
    """`ssim` per channel, averaged, `border` pixels left out on every side."""
    return ssim(*_pair(sr, hr, border))


def lab(image: ArrayLike) -> Array:
    """CIE L*a*b* (white point D65) of an sRGB picture in 0..255. Returns (H, W, 3), L* in 0..100."""
    encoded = _picture(image) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4)
    relative = linear @ (XYZ / WHITE[:, None]).T
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(lab1: Array, lab2: Array) -> Array:
    """The CIEDE2000 colour difference of (..., 3) L*a*b* colours, k_L = k_C = k_H = 1. Returns (...).

    G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
    data, and mathematical observations", Color Research & Application 30(1), 2005; names follow its equations.
    """
    (L1, a1, b1), (L2, a2, b2) = np.moveaxis(lab1, -1, 0), np.moveaxis(lab2, -1, 0)
    mean_C7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    G = 0.5 * (1 - np.sqrt(mean_C7 / (mean_C7 + 25.0**7)))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360

    chromatic = C1 * C2 != 0
    turn = np.where(chromatic, h2 - h1, 0)
    across = np.abs(turn) > 180  # the short way from one hue to the other crosses 0°
    turn = turn - 360 * np.sign(turn) * across
    h_sum = h1 + h2
    # With no hue on one side the sum stands for the mean; else half, turned to the short side where that crosses 0°.
    h = np.where(chromatic, (h_sum + across * np.where(h_sum < 360, 360, -360)) / 2, h_sum)
    dL, dC = L2 - L1, C2 - C1
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(turn / 2))

    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    T = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    S_L = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    S_C = 1 + 0.045 * C
    S_H = 1 + 0.015 * C * T
    R_C = 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    R_T = -R_C * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    l_term, c_term, h_term = dL / S_L, dC / S_C, dH / S_H
    return np.sqrt(l_term**2 + c_term**2 + h_term**2 + R_T * c_term * h_term)


def delta_e(sr: ArrayLike, hr: ArrayLike) -> float:
    """Mean CIEDE2000 difference over all pixels; about 1 is just noticeable, 0 is equal."""
    a, b = _pair(sr, hr, 0)
    return float(ciede2000(lab(a), lab(b)).mean())


def high_frequency_energy(image: ArrayLike, cutoff: float = 1 / 8) -> float:
    """Mean squared luma beyond `cutoff` cycles per pixel, horizontally or vertically, in squared levels.

    The default is the Nyquist frequency of a picture four times smaller: what its grid cannot carry and
    super-resolution has to supply. Taken from the Fourier transform of the luma, mean removed, under a Hann window
    (against the jump from edge to edge), divided by the window's mean square. Use it as the ratio to the HR picture's:
    below 1 is softer, above 1 busier.
    """
    plane = luma(image)
    height, width = plane.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
    high = np.maximum.outer(np.abs(np.fft.fftfreq(height)), np.abs(np.fft.fftfreq(width))) > cutoff
    return float(power[high].sum() / (plane.size * (window**2).sum()))


@functools.cache
def _natural() -> niqe.Gaussian:
    return niqe.load_gaussian(NATURAL)


def naturalness(image: ArrayLike) -> float:
    """How far a picture's local statistics are from sharp photos', no reference needed: lower is more natural.

    NIQE's features and distance (`train.evaluation.niqe`) on studio-range luma, with a Gaussian of our own, so
    figures compare
    with each other but not with published NIQE values. NaN where the picture has fewer than two 96x96 patches
    with texture.
    """
    features, _ = niqe.patch_features(luma(image))
    return niqe.distance(niqe.fit_gaussian(features), _natural()) if len(features) > 1 else math.nan
