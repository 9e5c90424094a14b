"""A mobile student in VQ latents: the decoder becomes convolutions with constants, and is finetuned and folded."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from compress import fold
from tadsr.program import read_metadata
from tests.compress.graph_facts import free_sizes, largest_rank, operators
from tests.reference.seeded_weights import filled
from tests.tiny import LR_ENCODER, STUDENT, VQ, write_official, write_photos, write_reduced_preset
from train.diffusion.process import ScheduleConfig
from train.engine.checkpoints import describe, load_autoencoder, save_network
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.settings import FoldSettings
from train.finetuning.task import FinetuneTask
from train.networks.decoder_statistics import measure_statistics
from train.networks.layers import NearestUpsample
from train.networks.lr_encoder import LREncoder
from train.networks.narrow import narrow
from train.networks.static_decoder import enlarging, static_decoder
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder

ALLOWED = {"conv2d", "relu", "silu", "add", "sub", "mul", "cat", "pixel_shuffle", "clamp"}


def random_vq() -> VQAutoencoder:
    network = VQAutoencoder(VQ).eval().requires_grad_(False)
    network.load_state_dict({**network.state_dict(), **filled(network, 3, rounded=False)})
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vq")
    torch.manual_seed(0)
    write_reduced_preset(folder / "reference.yaml", "reference", crop=64)
    write_photos(folder / "photos")
    write_official(folder, "reference")
    student, lr_encoder = UNet(STUDENT, 3), LREncoder(LR_ENCODER, 3)
    nn.init.normal_(student.conv_out.weight, std=0.1)
    extra = {"diffusion": asdict(ScheduleConfig()), "sampling": {"steps": 1}}
    save_network(folder / "student.safetensors", student.state_dict(), describe(student, **extra))
    save_network(folder / "lr_encoder.safetensors", lr_encoder.state_dict(), describe(lr_encoder))
    return folder


@pytest.fixture
def few_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure r on two small crops: its value is not what these tests are about."""
    monkeypatch.setattr(fold, "measuring_crops", lambda photos: [torch.rand(1, 3, 48, 64) for _ in range(2)])


def arguments(folder: Path, **given: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "reference.yaml", "photos": folder / "photos", "out": folder / "o"}
    options |= {"autoencoder": folder / "autoencoder.pth", "student": folder / "student.safetensors"}
    options |= {"steps": 2, "batch": 2, "workers": 0, "precision": "32-true"} | given
    return [f"--{name}={value}" for name, value in options.items()]


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
    z = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    made = static_decoder(autoencoder, measure_statistics(autoencoder, [z]))
    expected = autoencoder.decode(z, quantise=False)
    assert expected.std() > 0.01
    torch.testing.assert_close(made(z), expected, atol=1e-3 * float(expected.std()), rtol=0)


@torch.no_grad()
def test_attention_becomes_the_nearest_convolution() -> None:
    """Where all keys are equal every position gets the mean of the values: a constant plus x, for one picture."""
    autoencoder = random_vq()
    attention = autoencoder.decoder.mid.attn_1
    attention.k.weight.zero_()
    z = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    linear = measure_statistics(autoencoder, [z]).attentions["mid.attn_1"]
    identity = torch.eye(len(linear.bias))
    assert (linear.weight - identity).abs().max() < 0.02
    assert linear.bias.abs().max() > 0.05


@pytest.mark.usefixtures("few_photos")
def test_a_finetuned_student_is_folded_into_convolutions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folder / "finetuned"
    monkeypatch.setattr("sys.argv", ["fold", *arguments(folder, out=out)])
    fold.main()
    program = torch.export.load(out / "student.pt2")
    assert operators(program) <= ALLOWED
    assert largest_rank(program) <= 4
    static = torch.export.load(out / "student.128.pt2")
    assert free_sizes(static) == []
    lr = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(static.module()(lr), program.module()(lr), atol=1e-6, rtol=0)
    metadata = read_metadata(out / "student.pt2")
    assert (metadata.scale, metadata.align, metadata.provenance["finetuning"]["steps"]) == (4, 2, 2)


def test_decoder_learns_from_the_full_one(folder: Path) -> None:
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder))
    made = FinetuneTask(settings, fold.training_data(settings))
    batch = {"hq": torch.rand(2, 3, 64, 64), "lq": torch.rand(2, 3, 16, 16)}
    (turn,) = made.optimiser_steps(batch, Noise(seed=0, step=0))
    assert turn.terms.keys() == {*("encoder", "l1", "frequency", "structure", "coarse", "border", "colour", "decoder")}
    torch.stack(list(turn.terms.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in made.trainables["student"].network.parameters())
    assert not any(parameter.requires_grad for parameter in made.autoencoder.parameters())


def test_its_decoder_needs_no_asking_to_be_trained(folder: Path) -> None:
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, steps=1, train_decoder=True))
    with pytest.raises(TrainError, match="--train_decoder true: is for the mobile autoencoder"):
        FinetuneTask(settings, training_data(settings))


@pytest.mark.usefixtures("few_photos")
def test_a_pruned_vq_decoder_is_folded_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = random_vq()
    widths = {"decoder.up.0.block.0.conv1": (32, 16), "decoder.up.0.block.0.norm2": (16, 16)}
    narrow(pruned, widths | {"decoder.up.0.block.0.conv2": (16, 32)})
    save_network(folder / "pruned.safetensors", pruned.state_dict(), describe(pruned))
    assert load_autoencoder(folder / "pruned.safetensors")
    given = {"autoencoder": folder / "pruned.safetensors", "lr_encoder": folder / "lr_encoder.safetensors"}
    monkeypatch.setattr("sys.argv", ["fold", *arguments(folder, out=folder / "pruned", steps=0, **given)])
    fold.main()
    assert operators(torch.export.load(folder / "pruned/student.pt2")) <= ALLOWED
    assert read_metadata(folder / "pruned/student.pt2").provenance["finetuning"]["steps"] == 0
