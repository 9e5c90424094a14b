"""Blur kernels of Real-ESRGAN's degradation (Wang et al. 2021, section 3.1), float64 and summing to one."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

Kernel = NDArray[np.float64]


def _mahalanobis(size: int, sigma_x: float, sigma_y: float, theta: float) -> Kernel:
    """Squared Mahalanobis distance to the centre of a `size` x `size` grid, covariance R(theta) diag(sigma^2) R^T."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    cos, sin = np.cos(theta), np.sin(theta)
    rotation = np.array([[cos, -sin], [sin, cos]])
    precision = np.linalg.inv(rotation @ np.diag([sigma_x**2, sigma_y**2]) @ rotation.T)
    return np.asarray(np.sum((grid @ precision) * grid, axis=-1))


def _normalised(weights: Kernel) -> Kernel:
    return np.asarray(weights / weights.sum())


def gaussian(size: int, sigma_x: float, sigma_y: float, theta: float, beta: float = 1.0) -> Kernel:
    """exp(-d^beta / 2) on an odd `size` in pixels; d is the squared Mahalanobis distance, `theta` in radians.

    beta = 1 is the Gaussian; below 1 the generalized Gaussian has a sharper peak, above 1 a flatter one.
    """
    return _normalised(np.exp(-0.5 * _mahalanobis(size, sigma_x, sigma_y, theta) ** beta))


def plateau(size: int, sigma_x: float, sigma_y: float, theta: float, beta: float) -> Kernel:
    """1 / (1 + d^beta): a flat top with long tails."""
    return _normalised(1.0 / (1.0 + _mahalanobis(size, sigma_x, sigma_y, theta) ** beta))


def sinc(size: int, cutoff: float) -> Kernel:
    """Ideal circular low-pass, cutoff J1(cutoff r) / (2 pi r), `cutoff` in (0, pi] radians per pixel; it rings."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    radius = np.hypot(*np.meshgrid(axis, axis))
    centre = radius == 0
    radius[centre] = 1.0
    return _normalised(np.where(centre, cutoff**2 / (4 * np.pi), cutoff * j1(cutoff * radius) / (2 * np.pi * radius)))
