"""The few layers that networks share. The mobile ones: dense 3x3 convolutions, ReLU, pixel shuffle.

In those no normalisation and no attention: both need statistics of the whole picture at run time, which breaks INT8,
neural engines and exact tiling. Residual branches start at zero instead, so that depth costs no stability.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that pads explicitly with one zero on every side."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


class ResidualBlock(nn.Module):
    """x + conv(relu(film(conv(x), t))).

    The time modulation (FiLM) sits directly behind a convolution, so that for a constant time it folds into that
    convolution's weight and bias. Without ``time_features`` the block has no modulation at all: the deployed form.
    """

    def __init__(self, channels: int, time_features: int | None = None) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)
        self.film = nn.Linear(time_features, 2 * channels) if time_features else None
        nn.init.kaiming_normal_(self.conv1.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv2.weight)
        for bias in (self.conv1.bias, self.conv2.bias):
            if bias is not None:
                nn.init.zeros_(bias)
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """x [N, C, H, W]; time [N, time_features], already activated -> [N, C, H, W]."""
        h = self.conv1(x)
        if self.film is not None:
            scale, shift = self.film(time)[..., None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv2(torch.relu(h))


class ResidualBlocks(nn.ModuleList):
    """Residual blocks one after the other, all at one time."""

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """x [N, C, H, W]; time [N, time_features] or None -> [N, C, H, W]."""
        for block in self:
            x = block(x, time)
        return x


class Upsample(nn.Sequential):
    """A convolution and a pixel shuffle: [N, inputs, H, W] -> [N, outputs, 2 H, 2 W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2), nn.PixelShuffle(2))


class NearestUpsample(nn.Module):
    """Nearest neighbours and a 3x3 convolution: [N, C, H, W] -> [N, C, 2 H, 2 W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def timestep_embedding(t: Tensor, features: int) -> Tensor:
    """ADM's float32 sinusoids of the index t [N]: [cos, sin] of t exp(-ln(10000) i / half) -> [N, features]."""
    half = features // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Sinusoids of the integer time index 0..T-1, then two linear layers (ADM's, as ResShift uses it)."""

    def __init__(self, features: int, sinusoids: int = 64) -> None:
        super().__init__()
        self.sinusoids = sinusoids
        self.layers = nn.Sequential(nn.Linear(sinusoids, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        """t [N], integer indices -> [N, features], activated."""
        return self.layers(timestep_embedding(t, self.sinusoids).to(next(self.parameters()).dtype))
