"""ResShift's network (Yue et al., NeurIPS 2023, arXiv 2307.12348): a UNet in which small Swin stages do the attention.

Written from its published sizes, with the parameter and buffer names of the official checkpoints.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

import torch
from torch import Tensor, nn

from train.engine.errors import TrainError
from train.networks.constructor import from_arguments
from train.networks.layers import NearestUpsample, conv3x3, timestep_embedding
from train.networks.norm import GroupNorm
from train.networks.swin import EPS, SwinStage

FIXED = {
    "conv_resample": True,
    "dims": 2,
    "use_scale_shift_norm": True,
    "resblock_updown": False,
    "cond_lq": True,
    "patch_norm": False,
    "qkv_bias": True,
}
"""Arguments of the official constructor that no released network gives another value."""
IGNORED = ("target", "use_fp16", "use_checkpoint")
"""Arguments of the official yamls that do not change the network."""
LQ_WIDTH = 16
"""Channels of the LQ feature extractor's first stage."""


@dataclass(frozen=True)
class SwinUNetConfig:
    """Sizes under the official names; the defaults are ResShift's for real-world x4 (118,593,583 parameters)."""

    image_size: int = 64
    """Side of the latents that the network is made for; others work, see ``SwinUNet.stride``."""
    in_channels: int = 3
    """Channels of the latent; without ``lq_size`` (SinSR's spelling) of latent and LQ picture together."""
    model_channels: int = 160
    """Base width, and the number of sinusoids of the time embedding."""
    out_channels: int = 3
    """Channels of the predicted latent."""
    attention_resolutions: tuple[int, ...] = (64, 32, 16, 8)
    """Sides of the maps whose levels have a Swin stage, at ``image_size``."""
    channel_mult: tuple[int, ...] = (1, 2, 2, 4)
    """Width of every level over the base width; every level after the first halves the resolution."""
    num_res_blocks: int | tuple[int, ...] = (2, 2, 2, 2)
    """Residual blocks per level on the way down; one more on the way up."""
    num_head_channels: int = 32
    """Channels per attention head."""
    swin_depth: int = 2
    """Blocks of a Swin stage."""
    swin_embed_dim: int = 192
    """Channels inside a Swin stage."""
    window_size: int = 8
    """Side of the attention windows."""
    mlp_ratio: float = 4
    """Hidden width of a Swin block's MLP over ``swin_embed_dim``."""
    lq_size: int | None = 64
    """Side of the LQ picture where the latents have ``image_size``; it is ``image_size`` times a power of two."""
    cond_mask: bool = False
    """Whether a mask [N, 1, H, W] comes with the LQ picture (inpainting)."""
    dropout: float = 0.0
    """Dropout inside the residual blocks."""

    @classmethod
    def from_official(cls, arguments: Mapping[str, Any]) -> Self:
        """From the arguments of ResShift's or SinSR's constructor. Raises ``TrainError`` where they do not fit."""
        arguments = {"lq_size": None, **arguments}
        return from_arguments(cls, arguments, optional=("cond_mask", "dropout"), fixed=FIXED, ignored=IGNORED)

    @property
    def res_blocks(self) -> tuple[int, ...]:
        """``num_res_blocks`` per level."""
        blocks = self.num_res_blocks
        return blocks if isinstance(blocks, tuple) else (blocks,) * len(self.channel_mult)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per level."""
        return tuple(self.model_channels * mult for mult in self.channel_mult)

    @property
    def stride(self) -> int:
        """Heights and widths of the latents must be multiples of this: every map is cut into whole windows."""
        levels = len(self.channel_mult)
        windows = [
            min(self.window_size, self.image_size >> level) << level
            for level in range(levels)
            if _has_attention(self, level) or level == levels - 1
        ]
        return math.lcm(1 << (levels - 1), *windows)

    @property
    def lq_factor(self) -> int:
        """LQ pixels per latent position along each axis. Raises ``TrainError`` where that is no power of two."""
        if self.lq_size is None:
            return 1
        factor, rest = divmod(self.lq_size, self.image_size)
        if rest or factor.bit_count() != 1:
            raise TrainError(f"lq_size={self.lq_size}: must be image_size={self.image_size} times a power of two")
        return factor


class ResBlock(nn.Module):
    """skip(x) + conv(silu(norm(conv(silu(norm(x)))) modulated by the time))).

    Without ``time_features`` the block has no modulation: the deployed form, where it is part of the norm's weights.
    """

    def __init__(self, inputs: int, outputs: int, time_features: int | None, dropout: float) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(GroupNorm(inputs, EPS), nn.SiLU(), conv3x3(inputs, outputs))
        if time_features is not None:
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_features, 2 * outputs))
        self.out_layers = nn.Sequential(
            GroupNorm(outputs, EPS), nn.SiLU(), nn.Dropout(dropout), _zeroed(conv3x3(outputs, outputs))
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """x [N, inputs, H, W], time [N, time_features] or None -> [N, outputs, H, W]."""
        h = self.out_layers[0](self.in_layers(x))
        if time is not None:
            scale, shift = self.modulation(time)[..., None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return self.skip_connection(x) + self.out_layers[1:](h)

    def modulation(self, time: Tensor) -> Tensor:
        """time [N, time_features] -> scale and shift of the channels, one after the other [N, 2 outputs]."""
        return self.emb_layers(time)


class Downsample(nn.Module):
    """A strided convolution: [N, inputs, H, W] -> [N, outputs, H/2, W/2]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.op = conv3x3(inputs, outputs, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class TimedLayers(nn.ModuleList):
    """Layers in a row, of which the residual blocks take the time."""

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResBlock) else layer(x)
        return x


class SwinUNet(nn.Module):
    """f(z_t, t, lq) -> z_0.

    With ``time_conditioned=False`` it has no time path: the deployed form, made by ``compress.fold``.
    """

    def __init__(self, config: SwinUNetConfig, time_conditioned: bool = True) -> None:
        super().__init__()
        self.config = config
        self.latent_channels = config.out_channels
        self.time_conditioned = time_conditioned
        levels, time_features = len(config.channel_mult), 4 * config.model_channels
        widths = config.widths

        def res_block(inputs: int, outputs: int) -> ResBlock:
            return ResBlock(inputs, outputs, time_features if time_conditioned else None, config.dropout)

        def stage(level: int) -> SwinStage:
            embed, side = config.swin_embed_dim, config.image_size >> level
            heads = embed // config.num_head_channels
            return SwinStage(widths[level], embed, heads, config.swin_depth, config.window_size, config.mlp_ratio, side)

        def attended(level: int, block: int) -> list[nn.Module]:
            """Only the first block of a level has a Swin stage."""
            return [stage(level)] if block == 0 and _has_attention(config, level) else []

        if time_conditioned:
            self.time_embed = nn.Sequential(
                nn.Linear(config.model_channels, time_features), nn.SiLU(), nn.Linear(time_features, time_features)
            )
        self.feature_extractor, lq_channels = _lq_extractor(config)
        self.input_blocks = nn.ModuleList([TimedLayers([conv3x3(config.in_channels + lq_channels, widths[0])])])
        skips = [widths[0]]
        for level, width in enumerate(widths):
            for block in range(config.res_blocks[level]):
                self.input_blocks.append(TimedLayers([res_block(skips[-1], width), *attended(level, block)]))
                skips.append(width)
            if level < levels - 1:
                self.input_blocks.append(TimedLayers([Downsample(width, width)]))
                skips.append(width)
        lowest = widths[-1]
        self.middle_block = TimedLayers([res_block(lowest, lowest), stage(levels - 1), res_block(lowest, lowest)])
        self.output_blocks = nn.ModuleList()
        channels = lowest
        for level, width in reversed(list(enumerate(widths))):
            for block in range(config.res_blocks[level] + 1):
                layers = [res_block(channels + skips.pop(), width), *attended(level, block)]
                if level and block == config.res_blocks[level]:
                    layers.append(NearestUpsample(width))
                self.output_blocks.append(TimedLayers(layers))
                channels = width
        self.out = nn.Sequential(GroupNorm(channels, EPS), nn.SiLU(), _zeroed(conv3x3(channels, config.out_channels)))

    @property
    def stride(self) -> int:
        """Heights and widths of the latents must be multiples of this."""
        return self.config.stride

    @property
    def feature_widths(self) -> tuple[int, ...]:
        """Channels of ``features``, finest level first."""
        return self.config.widths

    def forward(
        self, z_t: Tensor, t: Tensor, lq: Tensor, z_y: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """One network call.

        z_t [N, C, h, w] scaled by 1/sqrt(kappa^2 eta_t + 1); t [N] integer index; lq [N, 3, H, W] in [-1, 1], where
        H / h = lq_size / image_size; mask [N, 1, H, W] if the network takes one -> z_0 [N, C, h, w]. ``z_y`` is not
        looked at: it is there so that all of the project's networks are called alike.

        Raises ``ValueError`` where h or w is not a multiple of ``stride``.
        """
        return self._network(z_t, self.time(t), lq, mask)

    def deployed(self, z_t: Tensor, lq: Tensor) -> Tensor:
        """The folded form, t = T; arguments and errors as in ``forward``."""
        return self._network(z_t, None, lq, None)

    def _network(self, z_t: Tensor, time: Tensor | None, lq: Tensor, mask: Tensor | None) -> Tensor:
        skips = self._encode(z_t, time, lq, mask)
        h = self.middle_block(skips[-1], time)
        for block in self.output_blocks:
            h = block(torch.cat([h, skips.pop()], dim=1), time)
        return self.out(h)

    def encoder_features(self, z_t: Tensor, t: Tensor, lq: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """The output of every entry of ``input_blocks``; arguments and errors as in ``forward``."""
        return self._encode(z_t, self.time(t), lq, mask)

    def features(self, z_t: Tensor, t: Tensor, lq: Tensor, z_y: Tensor | None = None) -> list[Tensor]:
        """The last residual block of every level of the encoder, finest first, as TAD-SR's discriminator sees it.

        [N, widths[i], h / 2^i, w / 2^i]: entries 2, 5, 8, 11 of ``input_blocks`` at the default sizes. Arguments and
        errors as in ``forward``.
        """
        outputs = self.encoder_features(z_t, t, lq)
        ends = accumulate(blocks + 1 for blocks in self.config.res_blocks)  # the first entry, then the Downsamples
        return [outputs[end - 1] for end in ends]

    def time(self, t: Tensor) -> Tensor:
        """t [N], integer indices -> what the blocks take [N, time_features].

        Raises ``TypeError`` for the folded form, which takes no time.
        """
        if not self.time_conditioned:
            raise TypeError("the folded SwinUNet has no time path: call `deployed(z_t, lq)`")
        sinusoids = timestep_embedding(t, self.config.model_channels)
        return self.time_embed(sinusoids.to(next(self.time_embed.parameters()).dtype))

    def _encode(self, z_t: Tensor, time: Tensor | None, lq: Tensor, mask: Tensor | None) -> list[Tensor]:
        height, width = z_t.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(
                f"latents of {height}x{width}: this network takes multiples of {self.stride}; pad the picture"
            )
        h = torch.cat([z_t, self.feature_extractor(lq if mask is None else torch.cat([lq, mask], dim=1))], dim=1)
        outputs: list[Tensor] = []
        for block in self.input_blocks:
            h = block(h, time)
            outputs.append(h)
        return outputs


def _has_attention(config: SwinUNetConfig, level: int) -> bool:
    return config.image_size >> level in config.attention_resolutions


def _lq_extractor(config: SwinUNetConfig) -> tuple[nn.Module, int]:
    """What brings the LQ picture onto the latent's grid, and how many channels it adds to ``in_channels``."""
    channels = 3 + config.cond_mask
    if config.lq_size is None:
        return nn.Identity(), 0
    layers: list[nn.Module] = []
    for stage in range(config.lq_factor.bit_length() - 1):
        width = LQ_WIDTH << stage
        layers += [conv3x3(channels, width), nn.SiLU(), Downsample(width, 2 * width)]
        channels = 2 * width
    return nn.Sequential(*layers), channels


def _zeroed(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
