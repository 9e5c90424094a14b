"""The VQ-GAN autoencoders that ResShift's latents come from: VQ-f4 (latent-diffusion's) and the face model's VQ-f8.

Written from their published sizes, with the parameter names of the official checkpoints. Only their use is here, not
their training: they are frozen everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.networks.constructor import from_arguments
from train.networks.layers import NearestUpsample, conv3x3
from train.networks.norm import GroupNorm

EPS = 1e-6
DISTANCES_AT_ONCE = 1 << 24
"""The codebook search holds at most so many distances in memory: 64 MiB in float32."""


@dataclass(frozen=True)
class DDConfig:
    """Sizes of encoder and decoder under the official names; the defaults are VQ-f4's."""

    ch: int = 128
    """Base width."""
    ch_mult: tuple[int, ...] = (1, 2, 4)
    """Width of every level over the base width; every level after the first halves the resolution."""
    num_res_blocks: int | tuple[int, ...] = 2
    """Residual blocks per level of the encoder; the decoder has one more."""
    in_channels: int = 3
    """Channels of the picture."""
    out_ch: int = 3
    """Channels of the decoded picture."""
    z_channels: int = 3
    """Channels between encoder or decoder and the 1x1 convolutions around the codebook."""
    resolution: int = 256
    """Side of the picture that ``attn_resolutions`` refer to."""
    attn_resolutions: tuple[int, ...] = ()
    """Sides of the maps whose blocks are followed by attention; the middle always has it."""
    dropout: float = 0.0
    """Dropout inside the residual blocks."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per level."""
        return tuple(self.ch * mult for mult in self.ch_mult)

    @property
    def res_blocks(self) -> tuple[int, ...]:
        """``num_res_blocks`` per level."""
        blocks = self.num_res_blocks
        return blocks if isinstance(blocks, tuple) else (blocks,) * len(self.ch_mult)


@dataclass(frozen=True)
class VQConfig:
    """Sizes of the autoencoder under the official names; the defaults are VQ-f4's (55,322,782 parameters)."""

    embed_dim: int = 3
    """Channels of the latent."""
    n_embed: int = 8192
    """Codewords."""
    ddconfig: DDConfig = field(default_factory=DDConfig)
    """Encoder and decoder."""

    @property
    def latent_channels(self) -> int:
        """Channels of the latent."""
        return self.embed_dim

    @property
    def factor(self) -> int:
        """f: pixels per latent position along each axis."""
        return 1 << (len(self.ddconfig.ch_mult) - 1)

    @classmethod
    def from_official(cls, arguments: Mapping[str, Any]) -> Self:
        """From the arguments of ResShift's constructor. Raises ``TrainError`` where they do not fit."""
        whole = from_arguments(cls, arguments, ignored=("target",))
        sizes = from_arguments(
            DDConfig, arguments["ddconfig"], optional=("dropout",), fixed={"double_z": False}, ignored=("padding_mode",)
        )
        return cls(whole.embed_dim, whole.n_embed, sizes)


class ResnetBlock(nn.Module):
    """shortcut(x) + conv(silu(norm(conv(silu(norm(x))))))."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = GroupNorm(inputs, EPS)
        self.conv1 = conv3x3(inputs, outputs)
        self.norm2 = GroupNorm(outputs, EPS)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv3x3(outputs, outputs)
        self.nin_shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return self.nin_shortcut(x) + self.conv2(self.dropout(F.silu(self.norm2(h))))


class Attention(nn.Module):
    """x + attention over all positions with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels, EPS)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (project(h).flatten(2).transpose(1, 2)[:, None] for project in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(attended[:, 0].transpose(1, 2).reshape(len(x), -1, *x.shape[2:]))


class Downsample(nn.Module):
    """Zeros at the right and at the bottom, then a strided convolution without padding."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Level(nn.Module):
    """All blocks of one resolution, each followed by attention or not."""

    def __init__(self, config: DDConfig, level: int, inputs: int, blocks: int) -> None:
        super().__init__()
        width = config.widths[level]
        attention = config.resolution >> level in config.attn_resolutions
        self.block = nn.ModuleList(ResnetBlock(width if i else inputs, width, config.dropout) for i in range(blocks))
        self.attn = nn.ModuleList(Attention(width) if attention else nn.Identity() for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block, attention in zip(self.block, self.attn, strict=True):
            x = attention(block(x))
        return x


class DownLevel(Level):
    """A level of the encoder; all but the last halve the resolution at their end."""

    def __init__(self, config: DDConfig, level: int) -> None:
        widths = config.widths
        super().__init__(config, level, widths[level - 1] if level else config.ch, config.res_blocks[level])
        self.downsample = Downsample(widths[level]) if level < len(widths) - 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(super().forward(x))


class UpLevel(Level):
    """A level of the decoder; all but the finest double the resolution at their end."""

    def __init__(self, config: DDConfig, level: int) -> None:
        widths = config.widths
        super().__init__(config, level, widths[min(level + 1, len(widths) - 1)], config.res_blocks[level] + 1)
        self.upsample = NearestUpsample(widths[level]) if level else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample(super().forward(x))


class Middle(nn.Module):
    """Block, attention, block at the lowest resolution."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, dropout)
        self.attn_1 = Attention(channels)
        self.block_2 = ResnetBlock(channels, channels, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    """Pictures [N, 3, f h, f w] -> [N, z_channels, h, w]."""

    def __init__(self, config: DDConfig) -> None:
        super().__init__()
        lowest = config.widths[-1]
        self.conv_in = conv3x3(config.in_channels, config.ch)
        self.down = nn.ModuleList(DownLevel(config, level) for level in range(len(config.widths)))
        self.mid = Middle(lowest, config.dropout)
        self.norm_out = GroupNorm(lowest, EPS)
        self.conv_out = conv3x3(lowest, config.z_channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    """[N, z_channels, h, w] -> pictures [N, out_ch, f h, f w]; ``up.0`` is the finest level and comes last."""

    def __init__(self, config: DDConfig) -> None:
        super().__init__()
        lowest, finest = config.widths[-1], config.widths[0]
        self.conv_in = conv3x3(config.z_channels, lowest)
        self.mid = Middle(lowest, config.dropout)
        self.up = nn.ModuleList(UpLevel(config, level) for level in range(len(config.widths)))
        self.norm_out = GroupNorm(finest, EPS)
        self.conv_out = conv3x3(finest, config.out_ch)

    def forward(self, z: Tensor) -> Tensor:
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class Quantiser(nn.Module):
    """The codebook."""

    def __init__(self, codewords: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codewords, channels)

    @torch.no_grad()
    def indices(self, z: Tensor) -> Tensor:
        """The codeword nearest to every position of z [N, C, h, w], by squared distance: int64 [N, h, w]."""
        codebook = self.embedding.weight.float()
        flat = z.movedim(1, -1).reshape(-1, z.shape[1]).float()

        def nearest(points: Tensor) -> Tensor:
            distances = points.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * points @ codebook.T
            return distances.argmin(1)

        parts = flat.split(max(1, DISTANCES_AT_ONCE // len(codebook)))
        return torch.cat([nearest(points) for points in parts]).view(len(z), *z.shape[2:])

    def codewords(self, indices: Tensor) -> Tensor:
        """int64 [N, h, w] -> [N, C, h, w]."""
        return self.embedding(indices).movedim(-1, 1)

    def forward(self, z: Tensor) -> Tensor:
        """z [N, C, h, w] -> its nearest codewords; the gradient passes straight through to z."""
        return z + (self.codewords(self.indices(z)) - z).detach()


class VQAutoencoder(nn.Module):
    """``encode`` gives the continuous latent, of about unit variance; ``decode`` snaps it to the codebook first."""

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = config.embed_dim
        self.encoder = Encoder(config.ddconfig)
        self.decoder = Decoder(config.ddconfig)
        self.quantize = Quantiser(config.n_embed, config.embed_dim)
        self.quant_conv = nn.Conv2d(config.ddconfig.z_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.ddconfig.z_channels, 1)

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures [N, 3, f h, f w] in [-1, 1] (overshoot is allowed) -> latents [N, C, h, w], not quantised."""
        return self.quant_conv(self.encoder(pictures))

    def decode(self, latents: Tensor, quantise: bool = True) -> Tensor:
        """Latents [N, C, h, w] -> pictures [N, 3, f h, f w] in about [-1, 1], not clamped."""
        return self.decoder(self.post_quant_conv(self.quantize(latents) if quantise else latents))

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruction of pictures [N, 3, f h, f w] in [-1, 1]."""
        return self.decode(self.encode(pictures))
