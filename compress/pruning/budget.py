"""Widths by global budgets: the channels that are least important for what they cost go first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.pruning.dependencies import Coupling
from train.engine.errors import TrainError


@dataclass(frozen=True)
class Cost:
    """What a layer costs at full width, and the couplings (by index) that its inputs and its outputs belong to."""

    full: float
    reads: int | None
    writes: int | None

    def at(self, widths: Sequence[float]) -> float:
        """The cost where the fraction ``widths[i]`` of coupling i's channels is left: it grows with both widths."""
        return self.full * _fraction(widths, self.reads) * _fraction(widths, self.writes)


def layer_costs(couplings: Sequence[Coupling], full: Mapping[str, float]) -> list[Cost]:
    """The costs of the layers, by name, at full width."""
    reads = {name: i for i, coupling in enumerate(couplings) for name in coupling.readers}
    writes = {name: i for i, coupling in enumerate(couplings) for name in coupling.writers}
    return [Cost(cost, reads.get(name), writes.get(name)) for name, cost in full.items()]


def channel_groups(importance: Tensor, coupling: Coupling, multiple: int) -> list[Tensor]:
    """The channels of a coupling in groups that are only removed as one, least important first.

    Channels that are normalised together are a group, so that the others' statistics stay as they are; else groups
    have ``multiple`` channels, for widths that engines like.
    """
    if coupling.group_size > 1:
        normalised = torch.arange(coupling.channels).view(-1, coupling.group_size)
        return list(normalised[importance[normalised].sum(1).argsort(stable=True)])
    return list(importance.argsort(stable=True).split(multiple))


def choose_channels(
    importance: Sequence[Tensor],
    groups: Sequence[Sequence[Tensor]],
    costs: Mapping[str, Sequence[Cost]],
    budgets: Mapping[str, float],
) -> list[Tensor]:
    """Which channels stay, a mask [channels] per coupling, so that of every cost at most ``budgets`` of it are left.

    One group after the other goes, that with the least importance for the cost it saves, at the widths then reached,
    of the costs that are still over their budgets; the last group of a coupling stays. What the budgets then still
    have room for, beside a last group that was larger than it had to be, comes back, the most important first. Raises
    ``TrainError`` where even the fewest channels cost more.
    """
    full = {name: sum(cost.full for cost in layers) for name, layers in costs.items()}
    group_importance = [
        [float(values[group].sum()) for group in of_coupling]
        for values, of_coupling in zip(importance, groups, strict=True)
    ]
    sizes = [[len(group) for group in of_coupling] for of_coupling in groups]

    def remaining(removed: Sequence[int]) -> dict[str, float]:
        """The fraction of every cost that is left without so many groups of every coupling."""
        widths = [sum(of_coupling[n:]) / sum(of_coupling) for of_coupling, n in zip(sizes, removed, strict=True)]
        return {name: sum(cost.at(widths) for cost in layers) / full[name] for name, layers in costs.items()}

    removed = [0] * len(groups)
    while over := {name: left for name, left in remaining(removed).items() if left > budgets[name]}:
        rates: dict[int, float] = {}
        for i, of_coupling in enumerate(group_importance):
            if removed[i] < len(of_coupling) - 1:
                without = remaining(_changed(removed, i, 1))
                rates[i] = of_coupling[removed[i]] / sum(left - without[name] for name, left in over.items())
        if not rates:
            name, left = next(iter(over.items()))
            raise TrainError(
                f"--{name} {budgets[name]:g}: no width can meet it; with the fewest channels everywhere {left:.3f} is "
                "left; give more, or a smaller --multiple"
            )
        removed[min(rates, key=rates.__getitem__)] += 1

    def fits(removed: Sequence[int]) -> bool:
        return all(left <= budgets[name] for name, left in remaining(removed).items())

    while fitting := [i for i, n in enumerate(removed) if n > 0 and fits(_changed(removed, i, -1))]:
        removed[max(fitting, key=lambda i: group_importance[i][removed[i] - 1])] -= 1
    return [
        _mask(of_coupling[:n], len(values)) for of_coupling, n, values in zip(groups, removed, importance, strict=True)
    ]


def _changed(counts: Sequence[int], i: int, by: int) -> list[int]:
    return [*counts[:i], counts[i] + by, *counts[i + 1 :]]


def _mask(removed: Sequence[Tensor], channels: int) -> Tensor:
    mask = torch.ones(channels, dtype=torch.bool)
    for group in removed:
        mask[group] = False
    return mask


def _fraction(widths: Sequence[float], coupling: int | None) -> float:
    return 1.0 if coupling is None else widths[coupling]


@torch.no_grad()
def layer_macs(network: nn.Module, example: Tensor) -> dict[str, float]:
    """Multiply-accumulates of every convolution for an input [N, C, h, w], by name."""
    macs: dict[str, float] = {}
    names = {layer: name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        macs[names[layer]] = float(output.numel() * layer.weight[0].numel())

    hooks = [layer.register_forward_hook(count) for layer in names]
    network(example)
    for hook in hooks:
        hook.remove()
    return macs


def layer_parameters(network: nn.Module) -> dict[str, float]:
    """Weights of every convolution, by name; biases, which are few, left out."""
    return {name: layer.weight.numel() for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
