"""What the norms and the attention of a VQ decoder see on data, so that constants can stand in for them."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.networks.norm import GroupNorm
from train.networks.vq import Attention, VQAutoencoder

RIDGE = 1e-4
"""Of the least squares behind ``linear``, relative to the inputs' mean square."""


class Affine(NamedTuple):
    """scale x + shift per channel, each [C]."""

    scale: Tensor
    shift: Tensor


class Linear(NamedTuple):
    """weight x + bias at every position, [C, C] and [C]."""

    weight: Tensor
    bias: Tensor


class Statistics(NamedTuple):
    """What stands in for the layers of a decoder, by name."""

    norms: dict[str, Affine]
    attentions: dict[str, Linear]


class _Moments:
    """Count, sum and sum of squares per channel of a norm's inputs."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, torch.zeros(()), torch.zeros(())

    def see(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        x = inputs[0].detach().double().cpu()
        self.count += x.numel() // x.shape[1]
        self.sum = self.sum + x.sum((0, 2, 3))
        self.squares = self.squares + x.square().sum((0, 2, 3))

    def affine(self, norm: GroupNorm) -> Affine:
        """The norm with the mean and the variance of each group over all data in the place of a picture's own."""
        mean, square = (total.view(norm.num_groups, -1).mean(1) / self.count for total in (self.sum, self.squares))
        deviation = (square - mean.square() + norm.eps).sqrt()
        size = norm.num_channels // norm.num_groups
        scale = norm.weight.detach().double().cpu() / deviation.repeat_interleave(size)
        shift = norm.bias.detach().double().cpu() - mean.repeat_interleave(size) * scale
        return Affine(scale.float(), shift.float())


class _Products:
    """Products of inputs (and 1) with themselves and with what an attention adds to them."""

    def __init__(self) -> None:
        self.count, self.inputs, self.answers = 0, torch.zeros(()), torch.zeros(())

    def see(self, module: nn.Module, inputs: tuple[Tensor], answer: Tensor) -> None:
        x, added = (t.detach().movedim(1, -1).flatten(0, 2).double().cpu() for t in (inputs[0], answer - inputs[0]))
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
        self.count += len(x)
        self.inputs = self.inputs + x.T @ x
        self.answers = self.answers + x.T @ added

    def linear(self) -> Linear:
        """x + W x + b with the W and b nearest to what the attention adds, in least squares over all positions."""
        ridge = RIDGE * self.inputs.diagonal().mean() * torch.eye(len(self.inputs), dtype=self.inputs.dtype)
        solved = torch.linalg.solve(self.inputs + ridge, self.answers)
        channels = len(solved) - 1
        return Linear((solved[:-1].T + torch.eye(channels)).float(), solved[-1].float())


@torch.no_grad()
def measure_statistics(autoencoder: VQAutoencoder, latents: Iterable[Tensor]) -> Statistics:
    """What stands in for the norms and the attention of the decoder on these latents [N, C, h, w].

    Latents are decoded without the codebook's snap, as they will be.
    """
    norms = {name: m for name, m in autoencoder.decoder.named_modules() if isinstance(m, GroupNorm)}
    attentions = {name: m for name, m in autoencoder.decoder.named_modules() if isinstance(m, Attention)}
    moments = {name: _Moments() for name in norms}
    products = {name: _Products() for name in attentions}
    hooks = [norm.register_forward_pre_hook(moments[name].see) for name, norm in norms.items()]
    hooks += [attention.register_forward_hook(products[name].see) for name, attention in attentions.items()]
    for z in latents:
        autoencoder.decode(z, quantise=False)
    for hook in hooks:
        hook.remove()
    return Statistics(
        {name: moments[name].affine(norm) for name, norm in norms.items()},
        {name: product.linear() for name, product in products.items()},
    )


def no_statistics(autoencoder: VQAutoencoder) -> Statistics:
    """Constants of the right sizes that nothing was measured for: of the decoder's norms and attention, by name."""
    norms: dict[str, Affine] = {}
    attentions: dict[str, Linear] = {}
    for name, module in autoencoder.decoder.named_modules():
        if isinstance(module, GroupNorm):
            norms[name] = Affine(torch.ones(module.num_channels), torch.zeros(module.num_channels))
        if isinstance(module, Attention):
            channels = module.q.in_channels
            attentions[name] = Linear(torch.zeros(channels, channels), torch.zeros(channels))
    return Statistics(norms, attentions)
