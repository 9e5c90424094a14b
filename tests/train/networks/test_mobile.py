"""The mobile networks: shapes, standardised latents, and the budget as deployed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.fold import count_macs
from compress.folding.deployed import Deployed
from tests.tiny import AUTOENCODER, STUDENT, TEACHER
from train.engine.settings import Model, TrainingSettings, parse
from train.networks.autoencoder import Autoencoder, Decoder
from train.networks.layers import ResidualBlock
from train.networks.lr_encoder import LREncoder
from train.networks.unet import UNet


def mobile() -> Model:
    return parse(TrainingSettings, "train.teacher", "", ["--photos", "p", "--out", "o"]).model


@given(h=st.integers(1, 6), w=st.integers(1, 6))
def test_autoencoder_has_one_latent_position_per_4x4_pixels(h: int, w: int) -> None:
    network = Autoencoder(AUTOENCODER)
    pictures = torch.rand(2, 3, 4 * h, 4 * w)
    latents = network.encode(pictures)
    assert latents.shape == (2, 3, h, w)
    assert network.decode(latents).shape == pictures.shape


def test_standardise_gives_unit_latents_and_keeps_the_reconstruction() -> None:
    network, pictures = Autoencoder(AUTOENCODER).double(), torch.rand(4, 3, 32, 32, dtype=torch.float64)
    before = network.decode(network.encode(pictures))
    raw = network.encoder(pictures)
    network.standardise(raw.mean((0, 2, 3)), raw.std((0, 2, 3)))
    latents = network.encode(pictures)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(3).double())
    torch.testing.assert_close(network.decode(latents), before)


def test_untrained_unet_answers_with_z_y() -> None:
    network = UNet(TEACHER, latent_channels=3)
    z_t, z_y, lq = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    bias = network.conv_out.bias
    assert bias is not None
    torch.testing.assert_close(network(z_t, torch.tensor([0, 14]), lq, z_y), z_y + bias[:, None, None])


def test_unet_is_told_the_time() -> None:
    torch.manual_seed(0)
    network = UNet(TEACHER, latent_channels=3)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.randn(3, 1, 3, 8, 8)
    first, last = (network(x[0], torch.tensor([t]), x[1], x[2]) for t in (0, 14))
    assert (first - last).abs().max() > 1e-3


def test_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(1, 8, 5, 5)
    torch.testing.assert_close(ResidualBlock(8, 16)(x, torch.randn(1, 16)), x)


def test_folded_unet_refuses_a_time() -> None:
    x = torch.randn(1, 3, 8, 8)
    with pytest.raises(TypeError, match="deployed"):
        UNet(STUDENT, 3, time_conditioned=False)(x, torch.tensor([0]), x, x)


def test_mobile_preset_keeps_the_deployed_budget() -> None:
    model = mobile()
    channels = model.autoencoder.latent_channels
    deployed = Deployed(
        LREncoder(model.lr_encoder, channels),
        UNet(model.student, channels, time_conditioned=False),
        Decoder(model.autoencoder),
        model.scale,
    )
    assert sum(p.numel() for p in deployed.parameters()) <= 4_000_000
    assert count_macs(deployed) * 128 * 128 <= 8e9
