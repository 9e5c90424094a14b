"""A VQ decoder as phones want it: convolutions, SiLU, addition and pixel shuffle.

The norms' statistics are constants, the attention is a convolution, and latents are not snapped to the codebook.
"""

import torch
from torch import Tensor, nn

from train.networks.decoder_statistics import Affine, Linear, Statistics, no_statistics
from train.networks.narrow import layer_widths, narrow
from train.networks.vq import Attention, NearestUpsample, ResnetBlock, UpLevel, VQAutoencoder, VQConfig


class StaticBlock(nn.Module):
    """shortcut(x) + conv2(silu(conv1(silu(scale(x))))).

    ``scale`` is the first norm, a depthwise 1x1 convolution: x itself goes on beside it, so it can be part of no other.
    The second norm is part of ``conv1``.
    """

    def __init__(self, scale: nn.Conv2d, conv1: nn.Conv2d, conv2: nn.Conv2d, shortcut: nn.Module) -> None:
        super().__init__()
        self.scale, self.conv1, self.conv2, self.shortcut = scale, conv1, conv2, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, outputs, H, W]."""
        h = self.conv1(nn.functional.silu(self.scale(x)))
        return self.shortcut(x) + self.conv2(nn.functional.silu(h))


class StaticDecoder(nn.Sequential):
    """Latents [N, C, h, w] -> pictures [N, 3, f h, f w] in about [-1, 1]."""

    def __init__(self, config: VQConfig, widths: dict[str, tuple[int, int]], *layers: nn.Module) -> None:
        """``config`` and ``widths`` (of every layer, by name) are those of the autoencoder that it was made of."""
        super().__init__(*layers)
        self.config, self.widths = config, widths


def empty_static_decoder(config: VQConfig, widths: dict[str, tuple[int, int]]) -> StaticDecoder:
    """A decoder of the layout that ``static_decoder`` makes of such an autoencoder, for weights to be loaded into."""
    autoencoder = VQAutoencoder(config)
    narrow(autoencoder, {name: width for name, width in widths.items() if layer_widths(autoencoder)[name] != width})
    return static_decoder(autoencoder, no_statistics(autoencoder))


@torch.no_grad()
def static_decoder(autoencoder: VQAutoencoder, statistics: Statistics) -> StaticDecoder:
    """The autoencoder's decoder with these constants for norms and attention; exact but for those and the codebook."""
    decoder, names = autoencoder.decoder, {module: name for name, module in autoencoder.decoder.named_modules()}

    def static(module: nn.Module) -> nn.Module:
        if isinstance(module, ResnetBlock):
            first, second = (statistics.norms[names[norm]] for norm in (module.norm1, module.norm2))
            conv1, conv2 = scaled(module.conv1, second), _copy(module.conv2)
            shortcut = module.nin_shortcut
            return StaticBlock(
                depthwise(first), conv1, conv2, _copy(shortcut) if isinstance(shortcut, nn.Conv2d) else nn.Identity()
            )
        if isinstance(module, Attention):
            return pointwise(statistics.attentions[names[module]])
        assert isinstance(module, NearestUpsample)
        return nn.Sequential(enlarging(module.conv), nn.PixelShuffle(2))

    layers: list[nn.Module] = [decoder.mid.block_1, decoder.mid.attn_1, decoder.mid.block_2]
    for level in reversed(decoder.up):
        assert isinstance(level, UpLevel)
        layers += [layer for both in zip(level.block, level.attn, strict=True) for layer in both]
        layers.append(level.upsample)
    return StaticDecoder(
        autoencoder.config,
        layer_widths(autoencoder),
        _copy(autoencoder.post_quant_conv),
        _copy(decoder.conv_in),
        *(static(layer) for layer in layers if not isinstance(layer, nn.Identity)),
        depthwise(statistics.norms["norm_out"]),
        nn.SiLU(),
        _copy(decoder.conv_out),
    )


def depthwise(affine: Affine) -> nn.Conv2d:
    """The affine map as a depthwise 1x1 convolution."""
    channels = len(affine.scale)
    made = nn.Conv2d(channels, channels, 1, groups=channels)
    return _filled(made, affine.scale.view(-1, 1, 1, 1), affine.shift)


def pointwise(linear: Linear) -> nn.Conv2d:
    """The linear map at every position as a 1x1 convolution."""
    outputs, inputs = linear.weight.shape
    return _filled(nn.Conv2d(inputs, outputs, 1), linear.weight[..., None, None], linear.bias)


def scaled(conv: nn.Conv2d, behind: Affine) -> nn.Conv2d:
    """The convolution with the affine map behind it as part of its weights."""
    weight = conv.weight.detach().cpu() * behind.scale.view(-1, 1, 1, 1)
    return _filled(_like(conv), weight, _bias(conv) * behind.scale + behind.shift)


def enlarging(conv: nn.Conv2d) -> nn.Conv2d:
    """A 3x3 convolution of the map enlarged by nearest neighbours, on the map itself: its outputs, pixel-shuffled.

    Pixel 2 y + d of the enlarged map's convolution reads rows 2 y + d + k - 1, k = 0, 1, 2: row y + (d + k - 1) // 2 of
    the map. It is exact at the border too, and costs as many multiplications.
    """
    outputs, inputs = conv.weight.shape[:2]
    weight = torch.zeros(outputs, 2, 2, inputs, 3, 3)
    for dy, dx, ky, kx in torch.cartesian_prod(*(torch.arange(n) for n in (2, 2, 3, 3))).tolist():
        place = (dy + ky - 1) // 2 + 1, (dx + kx - 1) // 2 + 1
        weight[:, dy, dx, :, place[0], place[1]] += conv.weight.detach().cpu()[:, :, ky, kx]
    made = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
    return _filled(made, weight.flatten(0, 2), _bias(conv).repeat_interleave(4))


def _copy(conv: nn.Conv2d) -> nn.Conv2d:
    return _filled(_like(conv), conv.weight.detach(), _bias(conv))


def _like(conv: nn.Conv2d) -> nn.Conv2d:
    outputs, inputs = conv.weight.shape[:2]
    return nn.Conv2d(inputs, outputs, conv.weight.shape[2], padding=conv.weight.shape[2] // 2)


def _filled(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    assert conv.bias is not None
    conv.weight.data.copy_(weight)
    conv.bias.data.copy_(bias)
    return conv


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach().cpu()
