"""A VQ decoder as convolutions with constants: what it equals, and that its file holds it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.reference.seeded_weights import seed_network
from tests.tiny import VQ
from train.engine.checkpoints import describe, load_network, save_network
from train.networks.decoder_statistics import measure_statistics
from train.networks.layers import NearestUpsample
from train.networks.narrow import narrow
from train.networks.static_decoder import enlarging, static_decoder
from train.networks.vq import VQAutoencoder

LATENTS = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
PRUNED = {
    "decoder.up.0.block.0.conv1": (32, 16),
    "decoder.up.0.block.0.norm2": (16, 16),
    "decoder.up.0.block.0.conv2": (16, 32),
}


def random_vq() -> VQAutoencoder:
    network = VQAutoencoder(VQ).eval().requires_grad_(False)
    network.load_state_dict({**network.state_dict(), **seed_network(network, 3, rounded=False)})
    return network


@torch.no_grad()
def test_enlarging_by_shuffled_pixels_is_nearest_neighbours_then_the_convolution() -> None:
    torch.manual_seed(0)
    upsample = NearestUpsample(5)
    x = torch.randn(2, 5, 6, 7)
    torch.testing.assert_close(nn.functional.pixel_shuffle(enlarging(upsample.conv)(x), 2), upsample(x))


@torch.no_grad()
def test_decoder_is_exact_where_the_constants_are_those_of_the_picture() -> None:
    autoencoder = random_vq()
    attention = autoencoder.decoder.mid.attn_1
    attention.proj_out.weight.zero_()  # what it adds is then the same at every position, which a convolution can do
    decoder = static_decoder(autoencoder, measure_statistics(autoencoder, [LATENTS]))
    expected = autoencoder.decode(LATENTS, quantise=False)
    assert expected.std() > 0.01
    torch.testing.assert_close(decoder(LATENTS), expected, atol=1e-3 * float(expected.std()), rtol=0)


@torch.no_grad()
def test_attention_becomes_the_nearest_convolution() -> None:
    """Where all keys are equal every position gets the mean of the values: a constant plus x, for one picture."""
    autoencoder = random_vq()
    attention = autoencoder.decoder.mid.attn_1
    attention.k.weight.zero_()
    linear = measure_statistics(autoencoder, [LATENTS]).attentions["mid.attn_1"]
    identity = torch.eye(len(linear.bias))
    assert (linear.weight - identity).abs().max() < 0.02
    assert linear.bias.abs().max() > 0.05


@pytest.mark.parametrize("widths", [{}, PRUNED], ids=["full", "pruned"])
@torch.no_grad()
def test_its_file_holds_it(widths: dict[str, tuple[int, int]], tmp_path: Path) -> None:
    autoencoder = random_vq()
    narrow(autoencoder, widths)
    decoder = static_decoder(autoencoder, measure_statistics(autoencoder, [LATENTS]))
    save_network(tmp_path / "static_decoder.safetensors", decoder.state_dict(), describe(decoder))
    again, _ = load_network(tmp_path / "static_decoder.safetensors", "static_decoder")
    assert again(LATENTS).equal(decoder(LATENTS))
