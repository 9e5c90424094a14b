"""A copy of a network without some of its channels."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compress.pruning.dependencies import Coupling
from train.networks.narrow import layer_widths, narrow


@torch.no_grad()
def cut(network: nn.Module, couplings: Sequence[Coupling], kept: Sequence[Tensor]) -> nn.Module:
    """The network with only the channels of the masks ``kept`` [channels], one per coupling, and their weights."""
    weights = dict(network.state_dict())
    widths = layer_widths(network)
    for coupling, mask in zip(couplings, kept, strict=True):
        for name, shared in coupling.writers.items():
            for kind in ("weight", "bias"):
                weights[f"{name}.{kind}"] = weights[f"{name}.{kind}"][mask[shared]]
            widths[name] = widths[name][0], int(mask[shared].sum())
        for name, shared in coupling.readers.items():
            weights[f"{name}.weight"] = weights[f"{name}.weight"][:, mask[shared]]
            widths[name] = int(mask[shared].sum()), widths[name][1]
        for name in coupling.norms:
            for kind in ("weight", "bias"):
                weights[f"{name}.{kind}"] = weights[f"{name}.{kind}"][mask]
            widths[name] = int(mask.sum()), int(mask.sum())
    smaller = copy.deepcopy(network)
    narrow(smaller, widths)
    smaller.load_state_dict(weights)
    return smaller
