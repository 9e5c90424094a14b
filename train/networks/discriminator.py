"""TAD-SR's discriminator: small trainable heads on the frozen teacher encoder's features, which know the time."""

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from train.networks.layers import TimeEmbedding

_SQRT_2 = math.sqrt(2)
_NORM_GROUPS = 32
_HEAD_GROUP = 32


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of the discriminator's trainable part; the paper gives none, these follow LADD's practice."""

    width: int = 256
    """Channels of every head, a multiple of 32."""
    time_features: int = 256
    """Features of the heads' own time embedding."""
    kernel: int = 3
    """Kernel of the heads' residual convolution."""


class Modulation(nn.Module):
    """TAD-SR Eq. 10: (1 + gamma(t)) norm(features) + beta(t), with gamma and beta learned from the time.

    The norm is GroupNorm without an affine part, as all of the teacher's are. It starts unmodulated. Without
    ``time_features`` gamma and beta stay 0: the untimed discriminator of the ablation.
    """

    def __init__(self, channels: int, time_features: int | None) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(channels, _NORM_GROUPS), channels, eps=1e-6, affine=False)
        self.affine = nn.Linear(time_features, 2 * channels) if time_features else None
        if self.affine is not None:
            nn.init.zeros_(self.affine.weight)
            nn.init.zeros_(self.affine.bias)

    def forward(self, features: Tensor, time: Tensor | None) -> Tensor:
        """features [N, C, h, w]; time [N, time_features] or None -> [N, C, h, w]."""
        normed = self.norm(features)
        if self.affine is None or time is None:
            return normed
        gamma, beta = self.affine(time)[..., None, None].chunk(2, dim=1)
        return normed * (1 + gamma) + beta


class Head(nn.Module):
    """Modulated features of one scale [N, C, h, w] -> a map of logits [N, 1, h, w]; spectral norm bounds its slope."""

    def __init__(self, channels: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        width, kernel = config.width, config.kernel
        self.project = _block(channels, width, 1)
        self.residual = _block(width, width, kernel)
        self.logits = spectral_norm(nn.Conv2d(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.project(x)
        return self.logits((self.residual(h) + h) / _SQRT_2)


class Discriminator(nn.Module):
    """One head per scale of the teacher's encoder."""

    def __init__(self, widths: tuple[int, ...], config: DiscriminatorConfig, time_aware: bool = True) -> None:
        """``widths`` are the channels of the features, finest scale first."""
        super().__init__()
        features = config.time_features if time_aware else None
        self.time = TimeEmbedding(features, sinusoids=160) if features else None
        self.modulations = nn.ModuleList(Modulation(width, features) for width in widths)
        self.heads = nn.ModuleList(Head(width, config) for width in widths)

    def forward(self, features: list[Tensor], t: Tensor) -> list[Tensor]:
        """Features of every scale, and the time index t [N] that they were made at -> a map of logits per scale."""
        time = self.time(t) if self.time is not None else None
        modulated = [modulate(x, time) for modulate, x in zip(self.modulations, features, strict=True)]
        return [head(x) for head, x in zip(self.heads, modulated, strict=True)]


def _block(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = spectral_norm(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))
    return nn.Sequential(convolution, nn.GroupNorm(outputs // _HEAD_GROUP, outputs), nn.LeakyReLU(0.2))
