"""Finetuning a mobile student in VQ latents: the decoder of convolutions with constants is trained with it."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.tiny import STUDENT, write_official, write_photos, write_reduced_preset
from train.diffusion.schedule import ScheduleConfig
from train.engine.checkpoints import describe, save_network
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.settings import FinetuneSettings
from train.finetuning.task import FinetuneTask
from train.networks.unet import UNet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vq")
    write_reduced_preset(folder / "reference.yaml", "reference", crop=64)
    write_photos(folder / "photos")
    write_official(folder, "reference")
    student = UNet(STUDENT, 3)
    nn.init.normal_(student.conv_out.weight, std=0.1)
    header = describe(student, diffusion=asdict(ScheduleConfig()), sampling={"steps": 1})
    save_network(folder / "student.safetensors", student.state_dict(), header)
    return folder


def task(folder: Path, *more: str) -> FinetuneTask:
    paths = {"preset": "reference.yaml", "photos": "photos", "out": "o"}
    paths |= {"autoencoder": "autoencoder.pth", "student": "student.safetensors"}
    argv = [*(f"--{name}={folder / path}" for name, path in paths.items()), "--batch=2", "--workers=0", *more]
    settings = parse(FinetuneSettings, "train.finetune", "", argv)
    return FinetuneTask(settings, training_data(settings))


def test_decoder_learns_from_the_full_one(folder: Path) -> None:
    made = task(folder)
    batch = {"hq": torch.rand(2, 3, 64, 64), "lq": torch.rand(2, 3, 16, 16)}
    (step,) = made.optimiser_steps(batch, Noise(seed=0, step=0))
    assert step.terms.keys() == {*("encoder", "l1", "frequency", "structure", "coarse", "border", "colour", "decoder")}
    torch.stack(list(step.terms.values())).sum().backward()
    network = made.trainables["student"].network
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in made.autoencoder.parameters())
    assert made.exports(network).keys() == {"deployed_student", "lr_encoder", "static_decoder"}


def test_train_decoder_is_refused(folder: Path) -> None:
    with pytest.raises(TrainError, match=r"--train.decoder.*: is for the mobile autoencoder"):
        task(folder, "--train_decoder=true")
