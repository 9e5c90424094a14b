"""The ranges and probabilities of the degradation; the defaults are ResShift's (realsr x4)."""

from dataclasses import dataclass, field
from typing import Literal

Range = tuple[float, float]
"""Lower and upper bound of a uniform draw."""


@dataclass(frozen=True)
class StageSettings:
    """One round of blur, resize and noise."""

    blur_prob: float
    """Probability that the round blurs at all."""
    kernel_size: tuple[int, int]
    """Smallest and largest blur kernel in pixels, both odd; every odd size between is as likely."""
    sigma: Range
    """Standard deviations of the blur in pixels, along each axis of the kernel."""
    resize_prob: tuple[float, float, float]
    """Probabilities of enlarging, shrinking and keeping the size."""
    resize_range: Range
    """Strongest shrinking and strongest enlarging."""
    gaussian_sigma: Range
    """Standard deviation of Gaussian noise in 8-bit levels."""
    poisson_scale: Range
    """Factor on Poisson noise."""
    gaussian_prob: float = 0.5
    """Probability of Gaussian noise; else the noise is Poisson."""
    grey_prob: float = 0.4
    """Probability that the noise is the same on all channels."""
    sinc_prob: float = 0.1
    """Probability that the blur is a sinc filter, which rings, and not one of `kernel_prob`."""
    kernel_prob: tuple[float, float, float, float, float, float] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    """Probabilities of Gaussian, generalized Gaussian and plateau kernels, isotropic and anisotropic of each."""
    generalized_beta: Range = (0.5, 4.0)
    """Shape of generalized Gaussian kernels; below and above 1 are as likely."""
    plateau_beta: Range = (1.0, 2.0)
    """Shape of plateau kernels; below and above 1 are as likely."""


@dataclass(frozen=True)
class FaceSettings:
    """GFPGAN's degradation of faces (Wang et al. 2021, arXiv 2101.04061, Eq. 1); the defaults are ResShift's."""

    kernel_size: int = 41
    """Size of the blur kernel in pixels, odd."""
    isotropic_prob: float = 0.5
    """Probability of a round Gaussian blur; else it is a rotated ellipse."""
    sigma: Range = (0.1, 15.0)
    """Standard deviations of the blur in pixels, along each axis of the kernel."""
    reduction: Range = (0.8, 32.0)
    """How many times smaller the picture is made before it is brought back to its size."""
    noise_sigma: Range = (0.0, 20.0)
    """Standard deviation of Gaussian noise in 8-bit levels."""
    jpeg_quality: Range = (30.0, 100.0)
    """Quality of the JPEG compression, 1 to 100."""
    grey_prob: float = 0.01
    """Probability that both sides of the pair lose their colours."""


@dataclass(frozen=True)
class DegradationSettings:
    """Real-ESRGAN's two-stage degradation as ResShift parameterises it, or GFPGAN's of faces in its place."""

    kind: Literal["real-esrgan", "gfpgan"] = "real-esrgan"
    """"real-esrgan" makes the small side of x4; "gfpgan" keeps the size, and only --degradation.face counts for it."""
    face: FaceSettings = field(default_factory=FaceSettings)
    """The degradation of faces."""
    first: StageSettings = field(
        default=StageSettings(
            blur_prob=1.0,
            kernel_size=(3, 19),
            sigma=(0.2, 3.0),
            resize_prob=(0.2, 0.7, 0.1),
            resize_range=(0.15, 1.5),
            gaussian_sigma=(1.0, 30.0),
            poisson_scale=(0.05, 3.0),
        )
    )
    """The first round, relative to the high-resolution size; JPEG follows it."""
    second: StageSettings = field(
        default=StageSettings(
            blur_prob=0.8,
            kernel_size=(3, 13),
            sigma=(0.2, 1.5),
            resize_prob=(0.3, 0.4, 0.3),
            resize_range=(0.3, 1.2),
            gaussian_sigma=(1.0, 25.0),
            poisson_scale=(0.05, 2.5),
        )
    )
    """The second round, relative to the low-resolution size."""
    second_prob: float = 0.5
    """Probability of the second round."""
    light_prob: float = 0.0
    """Probability of the light round in place of all others. Real-ESRGAN's is never light, and a network that has seen
    nothing else smooths what was clean."""
    light: StageSettings = field(
        default=StageSettings(
            blur_prob=0.5,
            kernel_size=(3, 11),
            sigma=(0.2, 1.2),
            resize_prob=(0.0, 0.5, 0.5),
            resize_range=(0.6, 1.0),
            gaussian_sigma=(0.0, 4.0),
            poisson_scale=(0.0, 0.2),
        )
    )
    """The light round, relative to the high-resolution size; ours, not the paper's."""
    light_jpeg_quality: Range = (70.0, 99.0)
    """Quality of the one JPEG compression after the light round, 1 to below 100."""
    jpeg_quality: Range = (30.0, 95.0)
    """Quality of both JPEG compressions, 1 to below 100."""
    final_sinc_prob: float = 0.8
    """Probability of a sinc filter after the last resize."""
    final_sinc_size: tuple[int, int] = (3, 13)
    """Smallest and largest size of that filter in pixels, both odd."""
