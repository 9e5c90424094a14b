"""What opening a model by its file tells of it, whatever its kind."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.export.programs import CARD
from tests.tiny import write_networks
from train.engine.checkpoints import load_autoencoder, load_unet
from train.evaluation.predictors import Predictor, open_predictor, padded_predictor

LR = np.random.default_rng(0).integers(0, 256, (10, 7, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_networks(tmp_path_factory.mktemp("networks"))


def test_a_network_counts_its_autoencoder_and_every_step(networks: Path) -> None:
    files = networks / "teacher.safetensors", networks / "autoencoder.safetensors"
    teacher, student = (open_predictor(networks / f"{name}.safetensors") for name in ("teacher", "student"))
    assert teacher.predict(LR, None).shape == (40, 28, 3)
    assert teacher.size == sum(path.stat().st_size for path in files)
    network, autoencoder = load_unet(files[0])[0], load_autoencoder(files[1])
    assert teacher.parameters == sum(
        value.numel() for part in (network, autoencoder) for value in part.state_dict().values()
    )
    assert teacher.macs_per_pixel is not None
    assert student.macs_per_pixel is not None
    assert teacher.macs_per_pixel > student.macs_per_pixel > 0


def test_an_autoencoder_is_counted_per_hr_pixel(networks: Path) -> None:
    autoencoder = open_predictor(networks / "autoencoder.safetensors")
    assert autoencoder.predict(LR, np.zeros((12, 8, 3), np.uint8)).shape == (12, 8, 3)
    assert autoencoder.macs_per_pixel


def test_a_program_says_what_its_metadata_say(programs: Path) -> None:
    program = open_predictor(programs / "student.pt2")
    assert program.predict(LR, None).shape == (40, 28, 3)
    assert program.size == (programs / "student.pt2").stat().st_size
    assert (program.parameters, program.macs_per_pixel) == (CARD.parameters, CARD.macs_per_pixel)
    assert program.precision == "fp32"


def test_a_bundle_is_one_of_its_files(toy_bundle: Path) -> None:
    bundle = open_predictor(toy_bundle, precision="fp32")
    assert bundle.predict(LR, None).shape == (40, 28, 3)
    assert bundle.size == (toy_bundle / "toy.onnx").stat().st_size
    assert bundle.precision == "fp32"
    assert (bundle.parameters, bundle.macs_per_pixel) == (None, None)


def test_macs_are_counted_once_and_only_when_asked_for() -> None:
    layer, calls = torch.nn.Conv2d(3, 3, 3, padding=1), []

    def network(lr: torch.Tensor) -> torch.Tensor:
        calls.append(lr.shape)
        return layer(lr)

    predictor = padded_predictor(network, align=4, scale=1)
    assert predictor.predict(LR, None).shape == LR.shape
    assert calls == [(1, 3, 12, 8)]
    assert predictor.macs_per_pixel == predictor.macs_per_pixel == 3 * 3 * 9
    assert len(calls) == 2


def test_nothing_is_known_of_a_plain_function() -> None:
    plain = Predictor(lambda lr, hr: lr)
    assert (plain.size, plain.parameters, plain.precision, plain.macs_per_pixel) == (None, None, None, None)
