"""How near a picture is to another, and how natural it looks on its own: one definition for every stage.

Pictures are (H, W, 3) sRGB in 0..255, uint8 or float. The conventions are the super-resolution field's: luma is studio
range (`luma`), peaks are 255, and PSNR and SSIM leave out `BORDER` pixels on every side, which for scale 4 is what
papers do. Functions that compare raise `MetricError` where the sizes differ or nothing remains inside the border.
"""

import functools
import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from runtime.errors import TadsrError
from train.diffusion.pixels import LUMA
from train.evaluation import niqe

Array = NDArray[np.float64]

BORDER = 4
WINDOW = 11
"""Side in pixels of SSIM's window."""
PEAK = 255
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


def psnr(a: ArrayLike, b: ArrayLike) -> float:
    """10 log10(255² / mean squared difference) in dB over all samples of arrays in 0..255; infinite for equal ones."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(np.asarray(a), np.asarray(b), data_range=PEAK))


def ssim(a: Array, b: Array) -> float:
    """Structural similarity of (H, W) or (H, W, C) arrays in 0..255, mean over positions and channels.

    Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004: Gaussian
    window of 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, only where the window fits. 1 for equal arrays. Raises
    `MetricError` for arrays smaller than the window.
    """
    if min(a.shape[:2]) < WINDOW:
        raise MetricError(f"SSIM needs at least {WINDOW} pixels on each side, got {a.shape[1]}x{a.shape[0]}")
    as_wang = {"gaussian_weights": True, "sigma": 1.5, "win_size": WINDOW, "use_sample_covariance": False}
    channels = 2 if a.ndim == 3 else None
    return float(structural_similarity(a, b, data_range=PEAK, channel_axis=channels, **as_wang))


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
    """CIE L*a*b* (white point D65) of an sRGB picture in 0..255. Returns (H, W, 3), L* in 0..100.

    Not scikit-image's, whose rounded matrix and white point do not fit each other and give grey up to 0.005 of chroma.
    """
    encoded = _picture(image) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4)
    relative = linear @ (XYZ / WHITE[:, None]).T
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def delta_e(sr: ArrayLike, hr: ArrayLike) -> float:
    """Mean CIEDE2000 colour difference over all pixels, k_L = k_C = k_H = 1; about 1 is just noticeable, 0 is equal.

    G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula", Color Research & Application 30(1), 2005.
    """
    a, b = _pair(sr, hr, 0)
    return float(deltaE_ciede2000(lab(a), lab(b)).mean())


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
    figures compare with each other but not with published NIQE values. NaN where the picture has fewer than two 96x96
    patches with texture.
    """
    features, _ = niqe.patch_features(luma(image))
    return niqe.distance(niqe.fit_gaussian(features), _natural()) if len(features) > 1 else math.nan
