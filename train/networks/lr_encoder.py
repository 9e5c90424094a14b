"""The deployed encoder: z_y straight from the low-resolution picture, without enlarging it first."""

from dataclasses import dataclass

from torch import Tensor, nn

from train.networks.layers import ResidualBlock, conv3x3


@dataclass(frozen=True)
class LREncoderConfig:
    """Sizes of the encoder on the LR grid."""

    width: int = 32
    """Channels."""
    blocks: int = 1
    """Residual blocks."""


class LREncoder(nn.Module):
    """Distilled to equal E(bicubic_x4(lq)); it works because the f4 latent lies on the LR picture's own grid."""

    def __init__(self, config: LREncoderConfig, latent_channels: int) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = latent_channels
        self.layers = nn.Sequential(
            conv3x3(3, config.width),
            *(ResidualBlock(config.width) for _ in range(config.blocks)),
            conv3x3(config.width, latent_channels),
        )

    def forward(self, lq: Tensor) -> Tensor:
        """lq [N, 3, h, w] in [-1, 1] -> standardised z_y [N, C, h, w]."""
        return self.layers(lq)
