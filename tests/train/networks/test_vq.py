"""The VQ-GAN autoencoders: sizes and names as published, the codebook by brute force, goldens by
``tests.reference``."""

import json
from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared import shared
from train.engine.errors import TrainError
from train.networks import vq
from train.networks.vq import DDConfig, Quantiser, VQAutoencoder, VQConfig

SMALL = VQConfig(3, 16, DDConfig(ch=32, ch_mult=(1, 1, 2), num_res_blocks=1, resolution=32))
F8 = VQConfig(8, 4096, DDConfig(64, (1, 2, 4, 8), (1, 2, 3, 4), z_channels=8, resolution=512))


def on_meta(config: VQConfig) -> VQAutoencoder:
    with torch.device("meta"):
        return VQAutoencoder(config)


@pytest.mark.parametrize(
    ("config", "parameters", "tensors", "factor"), [(VQConfig(), 55_322_782, 205, 4), (F8, 77_009_115, 285, 8)]
)
def test_full_size_networks_have_the_published_sizes(
    config: VQConfig, parameters: int, tensors: int, factor: int
) -> None:
    network = on_meta(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert len(network.state_dict()) == tensors
    assert network.config.factor == factor


@pytest.mark.parametrize("name", ["vq_f4_autoencoder", "vq_f4_face256_autoencoder", "vq_f8_dim8_face512_autoencoder"])
def test_names_shapes_and_order_are_the_official_ones(name: str) -> None:
    official = json.loads(shared(f"reference/resshift_keys/{name}.json").read_text())
    network = on_meta(VQConfig.from_official(official["config"]))
    entries = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert list(entries.items()) == list(official["parameters"].items())


@torch.no_grad()
def test_latents_are_continuous_and_decoding_snaps_them_to_the_codebook() -> None:
    network = VQAutoencoder(SMALL).eval()
    z = network.encode(torch.rand(2, 3, 32, 48) * 2 - 1)
    assert z.shape == (2, 3, 8, 12)
    snapped = network.quantize(z)
    assert not torch.allclose(z, snapped)
    assert network.decode(z).shape == (2, 3, 32, 48)
    torch.testing.assert_close(network.decode(z), network.decode(snapped, quantise=False))
    assert not torch.allclose(network.decode(z), network.decode(z, quantise=False))


@settings(max_examples=15)
@given(n=st.integers(1, 2), side=st.integers(1, 5), at_once=st.sampled_from([1, 40, 1 << 20]), seed=st.integers(0, 99))
def test_codewords_are_the_nearest_whatever_fits_in_memory(n: int, side: int, at_once: int, seed: int) -> None:
    torch.manual_seed(seed)
    quantiser, z = Quantiser(16, 3), torch.randn(n, 3, side, side + 1)
    distances = (z.unsqueeze(1) - quantiser.embedding.weight.detach()[None, :, :, None, None]).square().sum(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vq, "DISTANCES_AT_ONCE", at_once)
        assert torch.equal(quantiser.indices(z), distances.argmin(1))


def test_the_gradient_passes_straight_through_the_codebook() -> None:
    quantiser = Quantiser(16, 3)
    z = torch.randn(1, 3, 4, 4, requires_grad=True)
    weights = torch.randn(1, 3, 4, 4)
    (quantiser(z) * weights).sum().backward()
    torch.testing.assert_close(z.grad, weights)
    assert quantiser.embedding.weight.grad is None


def test_attention_may_follow_the_blocks_of_a_level() -> None:
    network = VQAutoencoder(VQConfig(3, 16, DDConfig(32, (1, 2), 1, resolution=32, attn_resolutions=(16,))))
    attentions = {name.rpartition(".attn.")[0] for name in network.state_dict() if ".attn." in name}
    assert attentions == {"encoder.down.1", "decoder.up.1"}
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("outer", "inner", "message"),
    [
        ({"n_embd": 4}, {}, "VQConfig: unknown setting 'n_embd'; did you mean 'n_embed'"),
        ({}, {"double_z": True}, "double_z=True is not supported"),
        ({}, {"ch_mul": (1,)}, "DDConfig: unknown setting 'ch_mul'; did you mean 'ch_mult'"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(
    outer: dict[str, object], inner: dict[str, object], message: str
) -> None:
    arguments = asdict(SMALL)
    with pytest.raises(TrainError, match=message):
        VQConfig.from_official({**arguments, **outer, "ddconfig": {**arguments["ddconfig"], **inner}})


def test_a_configuration_survives_being_written_down() -> None:
    assert VQConfig.from_official(json.loads(json.dumps(asdict(F8)))) == F8


def test_the_decoder_exports_without_tensors_of_more_than_five_dimensions() -> None:
    network = VQAutoencoder(SMALL).eval().requires_grad_(False)

    class Decode(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return self.network.decode(z)

    z = torch.randn(1, 3, 8, 8)
    exported = torch.export.export(Decode(), (z,)).run_decompositions({})
    ranks = [node.meta["val"].ndim for node in exported.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    assert max(ranks) <= 5
    torch.testing.assert_close(exported.module()(z), network.decode(z), rtol=1e-4, atol=1e-5)
