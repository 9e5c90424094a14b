"""Which channels go together, how important they are, and the widths that a budget leaves."""

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from compress.pruning.budget import Cost, channel_groups, choose_channels, layer_costs, layer_macs, layer_parameters
from compress.pruning.channels import importances, remove_channels
from compress.pruning.dependencies import Coupling, couplings
from tests.tiny import AUTOENCODER, FACE_VQ, VQ
from train.engine.errors import TrainError
from train.networks.autoencoder import Autoencoder
from train.networks.narrow import layer_widths, narrow
from train.networks.vq import VQAutoencoder, VQConfig

pytest.importorskip("torch_pruning", reason="the graph of dependencies is Torch-Pruning's")


def filled(network: nn.Module) -> nn.Module:
    """With weights that are nowhere zero."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network.eval()


MOBILE = filled(Autoencoder(replace(AUTOENCODER, decoder_width=12, decoder_blocks=2)).decoder)
NETWORKS = {
    "mobile decoder": (MOBILE, torch.randn(2, 3, 8, 8)),
    "no fine block": (
        filled(Autoencoder(replace(AUTOENCODER, decoder_fine_blocks=0)).decoder),
        torch.randn(2, 3, 8, 8),
    ),
    "mobile encoder": (filled(Autoencoder(AUTOENCODER).encoder), torch.randn(2, 3, 32, 32)),
    "VQ decoder": (filled(VQAutoencoder(VQ).decoder), torch.randn(2, 3, 8, 8)),
    "VQ encoder": (filled(VQAutoencoder(VQ).encoder), torch.randn(2, 3, 32, 32)),
    "face VQ decoder": (filled(VQAutoencoder(FACE_VQ).decoder), torch.randn(2, 8, 4, 4)),
}


def silenced(network: nn.Module, coupled: list[Coupling], kept: list[Tensor]) -> None:
    """The channels that do not stay are read as zero."""
    with torch.no_grad():
        for coupling, mask in zip(coupled, kept, strict=True):
            for name, shared in coupling.readers.items():
                network.get_parameter(f"{name}.weight")[:, ~mask[shared]] = 0


def some(coupled: list[Coupling]) -> list[Tensor]:
    """Masks that leave about half of every coupling, whole normalised groups together."""
    generator = torch.Generator().manual_seed(1)
    masks = []
    for coupling in coupled:
        blocks = torch.rand(coupling.channels // coupling.group_size, generator=generator) < 0.5
        blocks[0], blocks[-1] = True, False
        masks.append(blocks.repeat_interleave(coupling.group_size))
    return masks


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_every_inner_channel_is_coupled_once(name: str) -> None:
    network, x = NETWORKS[name]
    coupled = couplings(network, x)
    convolutions = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    writers = [writer for coupling in coupled for writer in coupling.writers]
    readers = [reader for coupling in coupled for reader in coupling.readers]
    assert len(set(writers)) == len(writers)
    assert len(set(readers)) == len(readers)
    assert len(set(convolutions) - set(writers)) == 1, "only the last layer's outputs are fixed"
    assert len(set(convolutions) - set(readers)) == 1, "only the first layer's inputs are fixed"
    for coupling in coupled:
        for shared in (*coupling.writers.values(), *coupling.readers.values()):
            assert set(shared.tolist()) == set(range(coupling.channels))


@pytest.mark.parametrize("name", ["mobile decoder", "no fine block", "mobile encoder"])
@torch.no_grad()
def test_cutting_channels_equals_reading_them_as_zero(name: str) -> None:
    network, x = NETWORKS[name]
    coupled = couplings(network, x)
    kept = some(coupled)
    smaller = remove_channels(network, coupled, kept)
    zeroed = remove_channels(network, coupled, [torch.ones_like(mask) for mask in kept])
    torch.testing.assert_close(zeroed(x), network(x))
    silenced(zeroed, coupled, kept)
    assert not torch.allclose(zeroed(x), network(x), atol=1e-2)
    torch.testing.assert_close(smaller(x), zeroed(x), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_normalised_groups_keep_their_statistics() -> None:
    """All but attention, whose scale follows its width, answer as if the other channels were read as zero."""
    network = filled(VQAutoencoder(VQConfig(3, 64, replace(VQ.ddconfig, ch=64, ch_mult=(1, 2)))).decoder)
    x = torch.randn(2, 3, 8, 8)
    coupled = couplings(network, x)
    kept = [mask if c.norms else torch.ones_like(mask) for c, mask in zip(coupled, some(coupled), strict=True)]
    assert {c.group_size for c in coupled} == {1, 2, 4}
    smaller = remove_channels(network, coupled, kept)
    silenced(network, coupled, kept)
    torch.testing.assert_close(smaller(x), network(x), atol=1e-4, rtol=1e-4)


def test_importance_is_the_change_of_the_answer() -> None:
    """For a linear network the first order is all: the estimate converges to the squared change."""
    network = filled(nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 2, 3, padding=1)))
    x = torch.randn(1, 2, 8, 8)
    (coupling,) = couplings(network, x)
    (measured,) = importances(network, [coupling], [x] * 4000, seed=0)
    with torch.no_grad():
        answer = network(x)
        for channel in range(coupling.channels):
            mask = torch.arange(coupling.channels) != channel
            change = (remove_channels(network, [coupling], [mask])(x) - answer).square().sum()
            assert float(measured[channel]) == pytest.approx(float(change), rel=0.15)


@given(
    budgets=st.fixed_dictionaries({"macs": st.floats(0.3, 1), "parameters": st.floats(0.3, 1)}), seed=st.integers(0, 9)
)
@example(budgets={"macs": 0.875, "parameters": 1.0}, seed=0)
@settings(max_examples=20)
def test_widths_meet_the_budgets_closely(budgets: dict[str, float], seed: int) -> None:
    x = torch.randn(1, 3, 8, 8)
    coupled = couplings(MOBILE, x)
    importance = [torch.rand(c.channels, generator=torch.Generator().manual_seed(seed)) for c in coupled]
    measures = {"macs": layer_macs(MOBILE, x), "parameters": layer_parameters(MOBILE)}
    costs = {name: layer_costs(coupled, full) for name, full in measures.items()}
    kept = choose_channels(
        importance, [channel_groups(w, c, 1) for w, c in zip(importance, coupled, strict=True)], costs, budgets
    )
    smaller = remove_channels(MOBILE, coupled, kept)
    shares = {
        "macs": sum(layer_macs(smaller, x).values()) / sum(measures["macs"].values()),
        "parameters": sum(layer_parameters(smaller).values()) / sum(measures["parameters"].values()),
    }
    assert all(shares[name] <= budgets[name] + 1e-9 for name in shares)
    widths = [int(mask.sum()) / len(mask) for mask in kept]
    for i, coupling in enumerate(coupled):
        if widths[i] < 1:
            one_more = [width + (j == i) / coupling.channels for j, width in enumerate(widths)]
            larger = {name: sum(cost.at(one_more) for cost in each) for name, each in costs.items()}
            assert any(larger[name] > budgets[name] * sum(cost.full for cost in costs[name]) for name in larger), i


def test_what_there_is_room_for_comes_back() -> None:
    """A small portion goes first, then a large one that would have been enough."""
    importance = [torch.tensor([0.1, 9.0, 9.0, 9.0]), torch.tensor([5.0, 9.0])]
    groups = [list(values.argsort()[:, None]) for values in importance]
    costs = {"macs": [Cost(40, None, 0), Cost(60, None, 1)]}
    first, second = choose_channels(importance, groups, costs, {"macs": 0.75})
    assert first.all()
    assert second.tolist() == [False, True]


def test_what_is_worth_least_for_its_cost_goes_first() -> None:
    importance = [torch.tensor([1.0, 9.0, 9.0, 9.0]), torch.tensor([2.0, 9.0, 9.0, 9.0])]
    groups = [list(values.argsort()[:, None]) for values in importance]
    dear = {"macs": [Cost(10, None, 0), Cost(100, None, 1)]}
    first, second = choose_channels(importance, groups, dear, {"macs": 0.99})
    assert first.all()
    assert second.tolist() == [False, True, True, True]


def test_budget_that_no_width_can_meet() -> None:
    x = torch.randn(1, 3, 8, 8)
    coupled = couplings(MOBILE, x)
    importance = [torch.ones(c.channels) for c in coupled]
    costs = {"macs": layer_costs(coupled, layer_macs(MOBILE, x))}
    with pytest.raises(TrainError, match=r"--macs 0\.001: no width can meet it; with .* 0\.\d+ is left"):
        choose_channels(
            importance,
            [channel_groups(w, c, 1) for w, c in zip(importance, coupled, strict=True)],
            costs,
            {"macs": 0.001},
        )


def test_narrow_names_what_it_does_not_know() -> None:
    network = Autoencoder(AUTOENCODER)
    narrow(network, layer_widths(network))
    with pytest.raises(TrainError, match=r"decoder\.77"):
        narrow(network, {"decoder.77": (4, 4)})


@pytest.mark.slow
def test_full_size_vq_decoder_shrinks_eightfold() -> None:
    network = VQAutoencoder(VQConfig()).eval().decoder
    x = torch.randn(1, 3, 16, 16)
    coupled = couplings(network, x)
    importance = importances(network, coupled, [x], seed=0)
    costs = {
        "macs": layer_costs(coupled, layer_macs(network, x)),
        "parameters": layer_costs(coupled, layer_parameters(network)),
    }
    groups = [channel_groups(w, c, 4) for w, c in zip(importance, coupled, strict=True)]
    smaller = remove_channels(
        network, coupled, choose_channels(importance, groups, costs, {"macs": 0.12, "parameters": 0.12})
    )
    with torch.no_grad():
        assert smaller(x).shape == (1, 3, 64, 64)
    sizes = [sum(parameter.numel() for parameter in part.parameters()) for part in (network, smaller)]
    assert sizes[0] >= 8 * sizes[1]
    assert sum(layer_macs(network, x).values()) >= 8 * sum(layer_macs(smaller, x).values())
