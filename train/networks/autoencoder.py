"""The mobile f4 autoencoder: one latent position per 4x4 pixels, no codebook, latents standardised per channel."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.networks.layers import ResidualBlock, Upsample, conv3x3

FACTOR = 4


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of the f4 autoencoder."""

    latent_channels: int = 4
    """Channels of the latent."""
    encoder_width: int = 96
    """Channels of the encoder, which works wholly on the latent grid (it is not deployed)."""
    encoder_blocks: int = 3
    """Residual blocks of the encoder."""
    decoder_width: int = 48
    """Channels of the decoder on the latent grid."""
    decoder_blocks: int = 2
    """Residual blocks of the decoder on the latent grid."""
    decoder_fine_width: int = 24
    """Channels of the decoder at half the picture's resolution."""
    decoder_fine_blocks: int = 1
    """Residual blocks of the decoder at half the picture's resolution."""

    @property
    def factor(self) -> int:
        """f: pixels per latent position along each axis."""
        return FACTOR


class Encoder(nn.Sequential):
    """Pictures [N, 3, 4h, 4w] in [-1, 1] -> raw latents [N, C, h, w]."""

    def __init__(self, config: AutoencoderConfig) -> None:
        width = config.encoder_width
        super().__init__(
            nn.PixelUnshuffle(FACTOR),
            conv3x3(3 * FACTOR**2, width),
            *(ResidualBlock(width) for _ in range(config.encoder_blocks)),
            conv3x3(width, config.latent_channels),
        )


class Decoder(nn.Sequential):
    """Raw latents [N, C, h, w] -> pictures [N, 3, 4h, 4w] in about [-1, 1].

    It begins with a 1x1 convolution: without padding, a change of the latents' scale and origin folds into it exactly.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        width, fine = config.decoder_width, config.decoder_fine_width
        super().__init__(
            nn.Conv2d(config.latent_channels, width, 1),
            *(ResidualBlock(width) for _ in range(config.decoder_blocks)),
            Upsample(width, fine, kernel=3),
            nn.ReLU(),
            *(ResidualBlock(fine) for _ in range(config.decoder_fine_blocks)),
            Upsample(fine, 3, kernel=3),
        )


class Autoencoder(nn.Module):
    """``encode`` gives standardised latents: zero mean and unit variance per channel over the training photos.

    The mean and deviation are buffers, stored with the weights; they are 0 and 1 until ``standardise`` is called.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("latent_mean", torch.zeros(1, config.latent_channels, 1, 1))
        self.register_buffer("latent_std", torch.ones(1, config.latent_channels, 1, 1))

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures [N, 3, 4h, 4w] in [-1, 1] (overshoot is allowed) -> standardised latents [N, C, h, w]."""
        return (self.encoder(pictures) - self.latent_mean) / self.latent_std

    def decode(self, latents: Tensor) -> Tensor:
        """Standardised latents [N, C, h, w] -> pictures [N, 3, 4h, 4w] in about [-1, 1], not clamped."""
        return self.decoder(latents * self.latent_std + self.latent_mean)

    def forward(self, pictures: Tensor, latent_noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reconstruction and latents; ``latent_noise`` [N, C, h, w], added before decoding, smooths the latent."""
        latents = self.encode(pictures)
        return self.decode(latents if latent_noise is None else latents + latent_noise), latents

    @torch.no_grad()
    def standardise(self, raw_mean: Tensor, raw_std: Tensor) -> None:
        """Set the statistics of the raw latents, each [C]."""
        self.latent_mean.copy_(raw_mean.view_as(self.latent_mean))
        self.latent_std.copy_(raw_std.view_as(self.latent_std))
