"""The time-conditioned UNet that is both teacher and student of the mobile preset: it predicts z_0."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from train.networks.layers import ResidualBlock, ResidualBlocks, TimeEmbedding, Upsample, conv3x3


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of the UNet on the latent grid."""

    widths: tuple[int, ...] = (48, 80, 112)
    """Channels per level; every level after the first halves the resolution."""
    blocks: tuple[int, ...] = (1, 2, 3)
    """Residual blocks per level on the way down, and again on the way up (the last level has them once)."""
    time_features: int = 128
    """Features of the time embedding."""

    @property
    def stride(self) -> int:
        """Heights and widths of the latents must be multiples of this."""
        return 2 ** (len(self.widths) - 1)

    @property
    def lq_factor(self) -> int:
        """LQ pixels per latent position along each axis: this network takes the LQ picture on the latent's own grid."""
        return 1


class UNet(nn.Module):
    """f(z_t, t, lq, z_y) -> z_0, as a residual over z_y.

    ``z_y`` is an input beside ``lq``: at deployment z_T = z_y, and the two convolve into one. The skip connections are
    added, not concatenated, which keeps the widths, and so the cost on the finest level, down.
    With ``time_conditioned=False`` it has no time path: the deployed form, made by ``compress.fold``.
    """

    def __init__(self, config: UNetConfig, latent_channels: int, time_conditioned: bool = True) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = latent_channels
        features = config.time_features if time_conditioned else None
        widths, blocks = config.widths, config.blocks

        def level(i: int) -> ResidualBlocks:
            return ResidualBlocks(ResidualBlock(widths[i], features) for _ in range(blocks[i]))

        self.time = TimeEmbedding(features) if features else None
        self.conv_in = conv3x3(2 * latent_channels + 3 if time_conditioned else latent_channels + 3, widths[0])
        self.down_blocks = nn.ModuleList(level(i) for i in range(len(widths) - 1))
        self.downs = nn.ModuleList(conv3x3(a, b, stride=2) for a, b in pairwise(widths))
        self.middle = level(len(widths) - 1)
        self.ups = nn.ModuleList(Upsample(b, a, kernel=1) for a, b in pairwise(widths))
        self.up_blocks = nn.ModuleList(level(i) for i in range(len(widths) - 1))
        self.conv_out = conv3x3(widths[0], latent_channels)
        nn.init.zeros_(self.conv_out.weight)

    @property
    def stride(self) -> int:
        """Heights and widths of the latents must be multiples of this."""
        return self.config.stride

    @property
    def feature_widths(self) -> tuple[int, ...]:
        """Channels of ``features``, finest level first."""
        return self.config.widths

    def forward(self, z_t: Tensor, t: Tensor, lq: Tensor, z_y: Tensor) -> Tensor:
        """One network call of the time-conditioned form.

        z_t [N, C, h, w] scaled by 1/sqrt(kappa^2 eta_t + 1); t [N] integer index; lq [N, 3, h, w] in [-1, 1]; z_y
        [N, C, h, w] -> z_0 [N, C, h, w].
        """
        if self.time is None:
            raise TypeError("the folded UNet has no time path: call `deployed(z_y, lq)`")
        return z_y + self._trunk(torch.cat([z_t, z_y, lq], dim=1), self.time(t))

    def deployed(self, z_y: Tensor, lq: Tensor) -> Tensor:
        """The folded form, t = T and z_T = z_y: [N, C, h, w], [N, 3, h, w] -> z_0 [N, C, h, w]."""
        return z_y + self._trunk(torch.cat([z_y, lq], dim=1), None)

    def features(self, z_t: Tensor, t: Tensor, lq: Tensor, z_y: Tensor) -> list[Tensor]:
        """Every level of the encoder, finest first: [N, widths[i], h / 2^i, w / 2^i]; inputs as of ``forward``."""
        if self.time is None:
            raise TypeError("the folded UNet has no time path: call `deployed(z_y, lq)`")
        return self._encode(torch.cat([z_t, z_y, lq], dim=1), self.time(t))

    def _trunk(self, x: Tensor, time: Tensor | None) -> Tensor:
        *skips, h = self._encode(x, time)
        for blocks, up, skip in zip(reversed(self.up_blocks), reversed(self.ups), reversed(skips), strict=True):
            h = blocks(up(torch.relu(h)) + skip, time)
        return self.conv_out(torch.relu(h))

    def _encode(self, x: Tensor, time: Tensor | None) -> list[Tensor]:
        h = self.conv_in(x)
        levels = []
        for blocks, down in zip(self.down_blocks, self.downs, strict=True):
            h = blocks(h, time)
            levels.append(h)
            h = down(torch.relu(h))
        return [*levels, self.middle(h, time)]
