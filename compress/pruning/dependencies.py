"""Which channels of a network can only go together, found by Torch-Pruning's dependency graph."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from train.engine.errors import TrainError


@dataclass(frozen=True)
class Coupling:
    """Channels that several layers share, as along a chain of residual blocks: one that goes, goes from all of them."""

    channels: int
    """How many there are."""
    writers: dict[str, Tensor]
    """Convolutions that write them: the shared channel [outputs] of every output."""
    readers: dict[str, Tensor]
    """Convolutions that read them: the shared channel [inputs] of every input."""
    norms: tuple[str, ...]
    """Group normalisations on the way."""
    group_size: int
    """So many neighbouring channels are normalised together, 1 without a normalisation."""


def couplings(network: nn.Module, example: Tensor) -> list[Coupling]:
    """All couplings of a network of convolutions and group normalisations; its inputs and its outputs are fixed.

    ``example`` [N, C, h, w] is an input. Raises ``TrainError`` where Torch-Pruning is not installed.
    """
    library = _library()
    traced = copy.deepcopy(network).requires_grad_(True)
    graph = library.DependencyGraph()
    with torch.enable_grad():
        graph.build_dependency(traced, example, verbose=False, customized_pruners={nn.PixelShuffle: _Shuffle()})
    for node in graph.module2node.values():
        if isinstance(node.module, nn.PixelShuffle):
            _map_shuffle(node)
    names = {module: name for name, module in traced.named_modules()}
    coupled = (_coupling(graph, group, names) for group in graph.get_all_groups(root_module_types=[nn.Conv2d]))
    return [coupling for coupling in coupled if coupling is not None]


def _library() -> Any:
    try:
        return import_module("torch_pruning")
    except ModuleNotFoundError as error:
        raise TrainError('torch-pruning is not installed; get it with: pip install "tadsr[compress]"') from error


def _coupling(graph: Any, group: Any, names: dict[nn.Module, str]) -> Coupling | None:
    """The coupling of a group of layers, or None where nobody reads its channels: they are the network's outputs."""
    readers = [module for module, writes, _, _ in _convolutions(graph, group) if not writes]
    if not readers:
        return None
    # Seen from the reader with the fewest inputs: behind a pixel shuffle, where several outputs are one channel.
    smallest = min(readers, key=lambda module: module.in_channels)
    handler = graph.get_pruner_of_module(smallest).prune_in_channels
    group_of_reader = graph.get_pruning_group(smallest, handler, list(range(smallest.in_channels)))
    sides: dict[bool, dict[str, Tensor]] = {True: {}, False: {}}
    for module, writes, channels, shared in _convolutions(graph, group_of_reader):
        sides[writes][names[module]] = torch.tensor(shared)[torch.tensor(channels).argsort()]
    norms = [dep.target.module for dep, _ in group_of_reader if isinstance(dep.target.module, nn.GroupNorm)]
    return Coupling(
        channels=smallest.in_channels,
        writers=sides[True],
        readers=sides[False],
        norms=tuple(dict.fromkeys(names[norm] for norm in norms)),
        group_size=max((norm.num_channels // norm.num_groups for norm in norms), default=1),
    )


def _convolutions(graph: Any, group: Any) -> Iterator[tuple[nn.Conv2d, bool, list[int], list[int]]]:
    """(layer, whether its outputs are meant, its channels, the channels of the group's root that they are)."""
    for item in group:
        module = item.dep.target.module
        if isinstance(module, nn.Conv2d):
            yield module, graph.is_out_channel_pruning_fn(item.dep.handler), item.idxs, item.root_idxs


class _Shuffle:
    """What Torch-Pruning asks of a layer that it does not know; here it only tells the layer's two sides apart."""

    pruning_dim = 1

    def prune_out_channels(self, layer: nn.Module, indices: list[int]) -> nn.Module:
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: nn.Module) -> None:
        return None

    get_in_channels = get_out_channels


def _map_shuffle(node: Any) -> None:
    """Channel c behind a pixel shuffle by r is made of the channels r^2 c to r^2 (c + 1) - 1 before it."""
    parts = node.module.upscale_factor**2

    def behind(indices: list[Any]) -> list[Any]:
        first = {index.idx // parts: index for index in reversed(indices)}
        return [first[channel]._replace(idx=channel) for channel in sorted(first)]

    def before(indices: list[Any]) -> list[Any]:
        return [index._replace(idx=index.idx * parts + part) for index in indices for part in range(parts)]

    for source in node.inputs:
        for dependency in source.dependencies:
            if dependency.target is node:
                dependency.index_mapping[0] = behind
        for dependency in node.dependencies:
            if dependency.target is source:
                dependency.index_mapping[0] = before
