"""Channels of equal absolute maximum: the program computes the same, and one scale serves all of them."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.nn import functional as F

pytest.importorskip("torchao", reason="what is int8 is told to torchao; pip install 'tadsr[compress]'")

from compress.quantization.equalisation import LARGEST_FACTOR, ChannelAbsmax, channel_groups, cross_layer_equalisation
from compress.quantization.layers import is_convolution, layer_name
from compress.quantization.quantizer import absorbed


class Net(nn.Module):
    """All that a folded network has: ReLU, sums, a pixel shuffle, a concatenation, something that is read twice."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"first": (3, 8), "inner": (8, 8), "outer": (8, 8), "up": (8, 16), "fine": (4, 4), "joined": (7, 6)}
        for name, (inputs, outputs) in sizes.items():
            self.add_module(name, nn.Conv2d(inputs, outputs, 3, padding=1))
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.first(lr)
        x = x + self.outer(torch.relu(self.inner(x)))
        fine = torch.relu(F.pixel_shuffle(self.up(x), 2))
        fine = fine + self.fine(fine)
        joined = torch.cat([fine, F.pixel_shuffle(lr.repeat_interleave(4, 1), 2)], 1)
        return torch.relu(self.last(self.depthwise(self.joined(joined))))


EXPORTED = torch.export.export(Net(), (torch.rand(2, 3, 12, 12),))
TILES = list(torch.rand(3, 2, 3, 12, 12, generator=torch.Generator().manual_seed(0)))


def uneven(seed: int, spread: float) -> GraphModule:
    """The network with random weights, its channels e^(0 to ``spread``) times as large as each other."""
    graph = copy.deepcopy(EXPORTED).module()
    assert isinstance(graph, GraphModule)
    generator = torch.Generator().manual_seed(seed)
    for parameter in graph.parameters():
        factors = torch.exp(spread * torch.rand(len(parameter), generator=generator))
        values = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5
        parameter.data = values * factors.view(-1, *[1] * (parameter.dim() - 1))
    return graph


def channel_absmax(graph: GraphModule) -> dict[str, Tensor]:
    """The largest magnitude of every channel of every tensor that has a scale, by the name of its node."""
    run = ChannelAbsmax(graph, set(channel_groups(graph)))
    with torch.no_grad():
        for tile in TILES:
            run.run(tile)
    return {node.name: channels for node, channels in run.channels.items() if not absorbed(node)}


@given(st.integers(0, 999), st.floats(0, 4))
@settings(max_examples=15)
@torch.no_grad()
def test_the_same_is_computed_with_channels_more_equal(seed: int, spread: float) -> None:
    graph = uneven(seed, spread)
    answers, before = [graph(tile) for tile in TILES], channel_absmax(graph)
    cross_layer_equalisation(graph, TILES)
    for tile, answer in zip(TILES, answers, strict=True):
        torch.testing.assert_close(graph(tile), answer, atol=1e-4 * float(answer.max()), rtol=1e-4)
    after = channel_absmax(graph)
    for name, channels in before.items():
        torch.testing.assert_close(after[name].max(), channels.max(), rtol=1e-3, atol=1e-6)
        assert (after[name] >= 0.999 * channels).all(), "a scale that stays, and no channel that has less of it"
        assert (after[name] <= 1.001 * LARGEST_FACTOR * channels).all()


def test_a_tensor_alone_gets_equal_channels() -> None:
    graph = uneven(seed=1, spread=2)
    before = channel_absmax(graph)["relu"]
    cross_layer_equalisation(graph, TILES)
    after = channel_absmax(graph)["relu"]
    assert before.max() > 3 * before.min()
    within_reach = before * LARGEST_FACTOR > before.max()
    torch.testing.assert_close(after[within_reach], before.max().expand(int(within_reach.sum())), rtol=1e-3, atol=0)


@torch.no_grad()
def test_a_tensor_that_is_zero_on_all_photos_harms_nobody() -> None:
    """As a block is whose last weights are zero: networks begin so."""
    graph = uneven(seed=2, spread=2)
    for name in ("outer.weight", "outer.bias", "fine.weight", "fine.bias"):
        graph.get_parameter(name).zero_()
    answer = graph(TILES[0])
    cross_layer_equalisation(graph, TILES)
    torch.testing.assert_close(graph(TILES[0]), answer, atol=1e-4 * float(answer.max()), rtol=1e-4)


def test_groups_are_what_sums_and_shuffles_tie_together() -> None:
    graph = uneven(seed=0, spread=1)
    groups = {layer_name(node): group.root() for node, group in channel_groups(graph).items() if is_convolution(node)}
    assert "depthwise" not in groups
    assert groups["first"] is groups["outer"]
    assert groups["first"].channels == 8
    assert groups["inner"] is not groups["first"]
    assert groups["up"] is groups["fine"]
    assert groups["up"].channels == 4, "four channels become one"
    free = {name for name, group in groups.items() if group.free}
    assert free == {"first", "inner", "outer"}, "a concatenation, a depthwise layer and the result can carry no factor"


def test_neighbours_that_a_shuffle_joins_share_their_factor() -> None:
    net = nn.Sequential(nn.Conv2d(3, 16, 1), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(4, 3, 1))
    graph = torch.export.export(net, (TILES[0],)).module()
    assert isinstance(graph, GraphModule)
    before = graph.get_parameter("0.weight").detach().clone()
    cross_layer_equalisation(graph, TILES)
    factors = (graph.get_parameter("0.weight") / before).view(4, -1).detach()
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert len(factors[:, 0].unique()) > 1
