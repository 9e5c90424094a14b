"""A mobile student in VQ latents is folded into convolutions, with the decoder that was finetuned or measured."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from compress import fold
from tadsr.program import read_metadata
from tests.compress.graph_facts import free_sizes, largest_rank, operators
from tests.tiny import STUDENT, VQ, write_lr_encoder, write_official, write_photos, write_reduced_preset
from train import finetune
from train.diffusion.schedule import ScheduleConfig
from train.engine.checkpoints import describe, load_network, save_network
from train.engine.errors import TrainError
from train.networks.narrow import narrow
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder

ALLOWED = {"conv2d", "relu", "silu", "add", "sub", "mul", "cat", "pixel_shuffle", "clamp"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, networks, and the folder ``finetuned`` of what finetuning made of them."""
    folder = tmp_path_factory.mktemp("vq")
    torch.manual_seed(0)
    write_reduced_preset(folder / "reference.yaml", "reference", crop=64)
    write_photos(folder / "photos")
    write_official(folder, "reference")
    student = UNet(STUDENT, 3)
    nn.init.normal_(student.conv_out.weight, std=0.1)
    header = describe(student, diffusion=asdict(ScheduleConfig()), sampling={"steps": 1})
    save_network(folder / "student.safetensors", student.state_dict(), header)
    write_lr_encoder(folder / "lr_encoder.safetensors")
    training = ["--steps=2", "--batch=2", "--precision=32-true"]
    finetune.main([*arguments(folder, folder / "finetuned", student=folder / "student.safetensors"), *training])
    return folder


def arguments(folder: Path, out: Path, **changed: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "reference.yaml", "photos": folder / "photos", "out": out}
    options |= {"autoencoder": folder / "autoencoder.pth", "workers": 0} | changed
    return [f"--{name}={value}" for name, value in options.items()]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure r on two small crops, and write one tile: neither is what these tests are about."""
    monkeypatch.setattr(fold, "measuring_crops", lambda photos: [torch.rand(1, 3, 48, 64) for _ in range(2)])
    monkeypatch.setattr(fold, "TILES", [128])


def test_a_finetuned_student_is_folded_into_convolutions(folder: Path, tmp_path: Path) -> None:
    finetuned = {name: folder / f"finetuned/{name}.safetensors" for name in ("lr_encoder", "static_decoder")}
    files = {"student": folder / "finetuned/deployed_student.safetensors", "lr_encoder": finetuned["lr_encoder"]}
    fold.main(arguments(folder, tmp_path, decoder=finetuned["static_decoder"], **files))
    program = torch.export.load(tmp_path / "student.pt2")
    assert operators(program) <= ALLOWED
    assert largest_rank(program) <= 4
    static = torch.export.load(tmp_path / "student.128.pt2")
    assert free_sizes(static) == []
    lr = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(static.module()(lr), program.module()(lr), atol=1e-6, rtol=0)
    metadata = read_metadata(tmp_path / "student.pt2")
    assert (metadata.scale, metadata.align) == (4, 2)
    assert metadata.provenance["decoder"]["kind"] == "static_decoder"
    decoder, _ = load_network(finetuned["static_decoder"], "static_decoder")
    assert program.state_dict["decoder.2.conv1.weight"].equal(decoder.state_dict()["2.conv1.weight"])


def test_a_pruned_vq_decoder_is_folded_with_measured_constants(folder: Path, tmp_path: Path) -> None:
    pruned = VQAutoencoder(VQ).requires_grad_(False)
    widths = {"decoder.up.0.block.0.conv1": (32, 16), "decoder.up.0.block.0.norm2": (16, 16)}
    narrow(pruned, widths | {"decoder.up.0.block.0.conv2": (16, 32)})
    save_network(tmp_path / "pruned.safetensors", pruned.state_dict(), describe(pruned))
    files = {"autoencoder": tmp_path / "pruned.safetensors"}
    files |= {name: folder / f"{name}.safetensors" for name in ("student", "lr_encoder")}
    fold.main(arguments(folder, tmp_path / "o", **files))
    assert operators(torch.export.load(tmp_path / "o/student.pt2")) <= ALLOWED


def test_a_decoder_of_other_latents_is_refused(folder: Path, tmp_path: Path) -> None:
    decoder, description = load_network(folder / "finetuned/static_decoder.safetensors", "static_decoder")
    config = description["config"] | {"embed_dim": 4}
    widths = description["made_of"] | {"post_quant_conv": [4, 3], "quant_conv": [3, 4]}
    weights = decoder.state_dict()
    weights["0.weight"] = torch.zeros(3, 4, 1, 1)
    save_network(tmp_path / "other.safetensors", weights, description | {"config": config, "made_of": widths})
    files = {name: folder / f"{name}.safetensors" for name in ("student", "lr_encoder")}
    with pytest.raises(TrainError, match=r"other\.safetensors: decodes other latents than .*autoencoder\.pth"):
        fold.main(arguments(folder, tmp_path / "o", decoder=tmp_path / "other.safetensors", **files))
