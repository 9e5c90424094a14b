"""Taking channels out of a network: how important each one is, measured on data, and a copy without the others."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from compress.pruning.budget import channel_groups, choose_channels, layer_costs, layer_macs, layer_parameters
from compress.pruning.dependencies import Coupling, couplings
from compress.pruning.part import Part
from compress.pruning.settings import PruneSettings
from train.data.crops import Sample, loader
from train.engine.noise import Noise
from train.engine.processes import connect, world_size
from train.finetuning.inputs import Inputs
from train.networks.narrow import layer_widths, narrow

SAMPLES_PER_PASS = 4
"""Samples per backward pass of the measurement: with fewer, more random signs are seen."""


def pruned(full: Part, inputs: Inputs, dataset: Dataset[Sample], settings: PruneSettings) -> nn.Module:
    """The part on the CPU with the widths that the budgets leave, and the weights of its most important channels.

    It is a pure function of the settings on one machine. Several processes measure on the CPU, where all of them
    measure the same. Raises ``TrainError`` where no width meets a budget, or the device is not to be had.
    """
    device = torch.device("cpu") if world_size() > 1 else connect(settings.device, "32-true").device
    measured = copy.deepcopy(full.module).to(device).requires_grad_(True)
    part_inputs = _part_inputs(full.to(device), inputs.to(device), dataset, settings)
    first = next(part_inputs)
    example = first[:1].cpu()
    module = copy.deepcopy(full.module).cpu()
    coupled = couplings(module, example)
    importance = importances(measured, coupled, chain([first], part_inputs), settings.seed)
    costs = {
        "macs": layer_costs(coupled, layer_macs(module, example)),
        "parameters": layer_costs(coupled, layer_parameters(module)),
    }
    budgets: Mapping[str, float] = {"macs": settings.macs, "parameters": settings.parameters}
    groups = [channel_groups(i, c, settings.multiple) for i, c in zip(importance, coupled, strict=True)]
    return remove_channels(module, coupled, choose_channels(importance, groups, costs, budgets))


@torch.no_grad()
def _part_inputs(full: Part, inputs: Inputs, dataset: Dataset[Sample], settings: PruneSettings) -> Iterator[Tensor]:
    """What goes into the part's own layers for the first batches of the data, a few samples at a time."""
    seen: list[Tensor] = []
    device = next(full.parameters()).device
    batches = loader(dataset, settings.batch, 0, settings.measured_batches, settings.workers)
    hook = full.module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    for step, batch in enumerate(batches):
        full(inputs({name: value.to(device) for name, value in batch.items()}, Noise(settings.seed, step, device)))
        yield from seen.pop().split(SAMPLES_PER_PASS)
    hook.remove()


def importances(network: nn.Module, couplings: Sequence[Coupling], inputs: Iterable[Tensor], seed: int) -> list[Tensor]:
    """For each coupling, per channel, the squared change of the whole output when that channel is read as zero.

    To first order the output moves by J d, d being minus the weights that read the channel. For random signs v,
    E[(v . J d)^2] = |J d|^2 (Hutchinson), and v . J d is minus the sum of weight times gradient of v . f(x): one
    backward pass measures every channel at once. It is the Taylor criterion (Molchanov et al., CVPR 2019) for the
    distance to the network's own output, whose gradient is zero. Means over the samples of ``inputs`` [N, C, h, w];
    [channels] each.
    """
    generator = torch.Generator().manual_seed(seed)
    sums = [torch.zeros(coupling.channels) for coupling in couplings]
    batches = 0
    for x in inputs:
        network.zero_grad()
        with torch.enable_grad():
            output = network(x)
            signs = torch.randint(2, output.shape, generator=generator).to(output) * 2 - 1
            (output * signs).sum().backward()
        for total, coupling in zip(sums, couplings, strict=True):
            total += _output_change(network, coupling).square() / len(x)
        batches += 1
    network.zero_grad()
    return [total / batches for total in sums]


@torch.no_grad()
def _output_change(network: nn.Module, coupling: Coupling) -> Tensor:
    """v . J d of every channel, with the gradients that lie in the network: [channels]."""
    change = torch.zeros(coupling.channels)
    for name, shared in coupling.readers.items():
        weight = network.get_parameter(f"{name}.weight")
        assert weight.grad is not None
        change.index_add_(0, shared, -(weight * weight.grad).sum((0, 2, 3)).cpu())
    return change


@torch.no_grad()
def remove_channels(network: nn.Module, couplings: Sequence[Coupling], kept: Sequence[Tensor]) -> nn.Module:
    """A copy with only the channels of the masks ``kept`` [channels], one per coupling, and their weights."""
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
