"""From an autoencoder and data to the pruned part of it: measure, choose, cut."""

import copy
from collections.abc import Iterator, Mapping
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from compress.pruning.budget import choose, layer_costs, layer_macs, layer_parameters, units
from compress.pruning.cut import cut
from compress.pruning.dependencies import couplings
from compress.pruning.importance import importances
from compress.pruning.part import Part
from compress.pruning.settings import PruneSettings
from train.data.crops import Sample, loader
from train.engine.noise import Noise
from train.engine.processes import connect, world_size
from train.finetuning.inputs import Inputs

TOGETHER = 4
"""Samples per backward pass of the measurement: with fewer, more random signs are seen."""


def pruned(full: Part, inputs: Inputs, dataset: Dataset[Sample], settings: PruneSettings) -> nn.Module:
    """The part on the CPU with the widths that the budgets leave, and the weights that are worth most.

    It is a pure function of the settings on one machine. Several processes measure on the CPU, where all of them find
    the same. Raises ``TrainError`` where no width meets a budget, or the device is not to be had.
    """
    device = torch.device("cpu") if world_size() > 1 else connect(settings.device, "32-true").device
    measured = copy.deepcopy(full.module).to(device).requires_grad_(True)
    given = _given(full.to(device), inputs.to(device), dataset, settings)
    first = next(given)
    example = first[:1].cpu()
    module = copy.deepcopy(full.module).cpu()
    coupled = couplings(module, example)
    worth = importances(measured, coupled, chain([first], given), settings.seed)
    costs = {
        "macs": layer_costs(coupled, layer_macs(module, example)),
        "parameters": layer_costs(coupled, layer_parameters(module)),
    }
    budgets: Mapping[str, float] = {"macs": settings.macs, "parameters": settings.parameters}
    portions = [units(w, c, settings.multiple) for w, c in zip(worth, coupled, strict=True)]
    return cut(module, coupled, choose(worth, portions, costs, budgets))


@torch.no_grad()
def _given(full: Part, inputs: Inputs, dataset: Dataset[Sample], settings: PruneSettings) -> Iterator[Tensor]:
    """What the part's own layers are given for the first batches of the data, a few samples at a time."""
    seen: list[Tensor] = []
    device = next(full.parameters()).device
    batches = loader(dataset, settings.batch, 0, settings.measured_batches, settings.workers)
    hook = full.module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for step, batch in enumerate(batches):
        full(inputs({name: value.to(device) for name, value in batch.items()}, Noise(settings.seed, step, device)))
        yield from seen.pop().split(TOGETHER)
    hook.remove()
