"""What every channel is worth, measured on data: how far the answer moves when the channel goes."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from compress.pruning.dependencies import Coupling


def importances(network: nn.Module, couplings: Sequence[Coupling], inputs: Iterable[Tensor], seed: int) -> list[Tensor]:
    """For each coupling, per channel, the squared change of the whole answer when that channel is read as zero.

    To first order the answer moves by J d, d being minus the weights that read the channel. For random signs v,
    E[(v . J d)^2] = |J d|^2 (Hutchinson), and v . J d is minus the sum of weight times gradient of v . f(x): one
    backward pass measures every channel at once. It is the Taylor criterion (Molchanov et al., CVPR 2019) for the
    distance to the network's own answer, whose gradient is zero. Means over the samples of ``inputs`` [N, C, h, w];
    [channels] each.
    """
    generator = torch.Generator().manual_seed(seed)
    sums = [torch.zeros(coupling.channels) for coupling in couplings]
    batches = 0
    for x in inputs:
        network.zero_grad()
        with torch.enable_grad():
            answer = network(x)
            signs = torch.randint(2, answer.shape, generator=generator).to(answer) * 2 - 1
            (answer * signs).sum().backward()
        for total, coupling in zip(sums, couplings, strict=True):
            total += _moved(network, coupling).square() / len(x)
        batches += 1
    network.zero_grad()
    return [total / batches for total in sums]


@torch.no_grad()
def _moved(network: nn.Module, coupling: Coupling) -> Tensor:
    """v . J d of every channel, with the gradients that lie in the network: [channels]."""
    moved = torch.zeros(coupling.channels)
    for name, shared in coupling.readers.items():
        weight = network.get_parameter(f"{name}.weight")
        assert weight.grad is not None
        moved.index_add_(0, shared, -(weight * weight.grad).sum((0, 2, 3)).cpu())
    return moved
