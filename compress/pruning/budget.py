"""Widths by global budgets: what is worth least for what it costs goes first."""

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

    def at(self, shares: Sequence[float]) -> float:
        """The cost where of coupling i the share ``shares[i]`` of channels is left: it grows with both widths."""
        return self.full * _share(shares, self.reads) * _share(shares, self.writes)


def layer_costs(couplings: Sequence[Coupling], full: Mapping[str, float]) -> list[Cost]:
    """The costs of the layers, by name, at full width."""
    reads = {name: i for i, coupling in enumerate(couplings) for name in coupling.readers}
    writes = {name: i for i, coupling in enumerate(couplings) for name in coupling.writers}
    return [Cost(cost, reads.get(name), writes.get(name)) for name, cost in full.items()]


def units(importance: Tensor, coupling: Coupling, multiple: int) -> list[Tensor]:
    """The channels of a coupling in the portions that can go, least important first.

    Channels that are normalised together go together, so that the others' statistics stay as they are; else portions
    of ``multiple`` channels, widths that engines like.
    """
    if coupling.together > 1:
        blocks = torch.arange(coupling.channels).view(-1, coupling.together)
        return list(blocks[importance[blocks].sum(1).argsort(stable=True)])
    return list(importance.argsort(stable=True).split(multiple))


def choose(
    importance: Sequence[Tensor],
    portions: Sequence[Sequence[Tensor]],
    costs: Mapping[str, Sequence[Cost]],
    budgets: Mapping[str, float],
) -> list[Tensor]:
    """Which channels stay, a mask [channels] per coupling, so that of every cost at most ``budgets`` of it are left.

    One portion after the other goes, that with the least importance for the share it saves, at the widths then reached,
    of the costs that are still over their budgets; the last portion of a coupling stays. What the budgets then still
    have room for, beside a last portion that was larger than it had to be, comes back, the most important first. Raises
    ``TrainError`` where even the fewest channels cost more.
    """
    full = {name: sum(cost.full for cost in each) for name, each in costs.items()}
    worth = [[float(values[portion].sum()) for portion in of] for values, of in zip(importance, portions, strict=True)]
    channels = [[len(portion) for portion in of] for of in portions]

    def left(gone: Sequence[int]) -> dict[str, float]:
        """The share of every cost that is left without so many portions of every coupling."""
        shares = [sum(each[n:]) / sum(each) for each, n in zip(channels, gone, strict=True)]
        return {name: sum(cost.at(shares) for cost in each) / full[name] for name, each in costs.items()}

    gone = [0] * len(portions)
    while over := {name: share for name, share in left(gone).items() if share > budgets[name]}:
        rates: dict[int, float] = {}
        for i, of in enumerate(worth):
            if gone[i] < len(of) - 1:
                without = left(_changed(gone, i, 1))
                rates[i] = of[gone[i]] / sum(share - without[name] for name, share in over.items())
        if not rates:
            name, share = next(iter(over.items()))
            raise TrainError(
                f"--{name} {budgets[name]:g}: no width can meet it; with the fewest channels everywhere {share:.3f} is "
                "left; give more, or a smaller --multiple"
            )
        gone[min(rates, key=rates.__getitem__)] += 1

    def fits(gone: Sequence[int]) -> bool:
        return all(share <= budgets[name] for name, share in left(gone).items())

    while fitting := [i for i, n in enumerate(gone) if n > 0 and fits(_changed(gone, i, -1))]:
        gone[max(fitting, key=lambda i: worth[i][gone[i] - 1])] -= 1
    return [_without(of[:n], len(values)) for of, n, values in zip(portions, gone, importance, strict=True)]


def _changed(counts: Sequence[int], i: int, by: int) -> list[int]:
    return [*counts[:i], counts[i] + by, *counts[i + 1 :]]


def _without(portions: Sequence[Tensor], channels: int) -> Tensor:
    mask = torch.ones(channels, dtype=torch.bool)
    for portion in portions:
        mask[portion] = False
    return mask


def _share(shares: Sequence[float], coupling: int | None) -> float:
    return 1.0 if coupling is None else shares[coupling]


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
