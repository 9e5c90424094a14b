"""The teacher's trainer: where its weights start."""

from pathlib import Path

import pytest
import torch

from tests.tiny import write_networks, write_preset
from train.engine.errors import TrainError
from train.engine.settings import parse
from train.teacher import TeacherSettings, TeacherTask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    write_preset(folder / "tiny.yaml")
    write_networks(folder)
    return folder


def task(folder: Path, *options: str) -> TeacherTask:
    arguments = ["--preset", str(folder / "tiny.yaml"), "--autoencoder", str(folder / "autoencoder.safetensors")]
    return TeacherTask(
        parse(TeacherSettings, "train.teacher", "", ["--photos", "p", "--out", "o", *arguments, *options])
    )


def weights(made: TeacherTask) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(made.trainables["teacher"].network.parameters())


def test_it_goes_on_from_given_weights(folder: Path) -> None:
    first = task(folder, "--init", str(folder / "teacher.safetensors"))
    second = task(folder, "--init", str(folder / "teacher.safetensors"), "--seed", "1")
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(task(folder)))
    assert all(parameter.requires_grad for parameter in first.trainables["teacher"].network.parameters())


def test_weights_of_other_sizes_are_refused(folder: Path) -> None:
    with pytest.raises(TrainError, match="other sizes"):
        task(folder, "--init", str(folder / "student.safetensors"))
