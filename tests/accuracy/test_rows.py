"""The regression gate: the committed weights keep to their budgets on tests/photos, and damaged ones would not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFilter
from torch import Tensor

import runtime
from compress.reporting.budgets import check, read_budgets
from compress.reporting.measure import measure
from compress.reporting.results import StageResult, read_report
from train.engine.checkpoints import load_network, save_network
from train.evaluation.predictors import Picture, Predictor, SamplingOptions, open_predictor

TESTS = Path(__file__).parents[1]
WEIGHTS, PHOTOS = TESTS.parent / "train/weights/mobile", TESTS / "photos"
BUDGETS = read_budgets(Path(__file__).with_name("budgets.yaml"))


class Stage(NamedTuple):
    """What a row is measured of, and baseline which row."""

    model: Path
    baseline: str | None
    precision: str = "auto"


STAGES = {
    "teacher": Stage(WEIGHTS / "teacher.safetensors", None),
    "student": Stage(WEIGHTS / "student.safetensors", "teacher"),
    "folded": Stage(runtime.DEFAULT_BUNDLE, "student", "fp32"),
    "onnx-int8": Stage(runtime.DEFAULT_BUNDLE, "folded", "int8"),
}
"""In the order in which they are measured."""


def opened(stage: Stage) -> Predictor:
    return open_predictor(stage.model, precision=stage.precision)


def measured(name: str, predictor: Predictor, report: Path) -> StageResult:
    return measure(name, predictor, PHOTOS, report, baseline=STAGES[name].baseline, provenance={})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, stage in STAGES.items():
        measured(name, opened(stage), folder)
    return folder


def test_committed_weights_keep_to_their_budgets(report: Path) -> None:
    verdict = check(read_report(report), BUDGETS)
    assert verdict.breaches == []
    assert verdict.notes == [], "every budget is checked"
    assert BUDGETS.keys() == STAGES.keys(), "every row has budgets"


def broken(name: str, predictor: Predictor, report: Path, tmp_path: Path) -> list[str]:
    """The breaches of the row ``name`` measured with that predictor in the place of the committed model."""
    shutil.copytree(report, tmp_path / "report")
    measured(name, predictor, tmp_path / "report")
    return check(read_report(tmp_path / "report"), BUDGETS).breaches


def test_weights_of_four_bits_are_noticed(report: Path, tmp_path: Path) -> None:
    network, description = load_network(WEIGHTS / "student.safetensors", "unet")
    save_network(tmp_path / "student.safetensors", rounded(network.state_dict()), description)
    options = SamplingOptions(WEIGHTS / "autoencoder.safetensors")
    predictor = open_predictor(tmp_path / "student.safetensors", options)
    breaches = broken("student", predictor, report, tmp_path)
    assert breaches
    assert all(line.startswith("student ") for line in breaches)


def rounded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions of 15 levels per output channel."""
    steps = {key: weight.abs().amax((1, 2, 3), keepdim=True) / 7 for key, weight in weights.items() if weight.ndim == 4}
    return weights | {key: (weights[key] / step).round() * step for key, step in steps.items()}


DAMAGES: dict[str, Callable[[Picture], Picture]] = {
    "a shift of colour": lambda sr: (sr + np.array([1, 0, 0])).clip(0, 255).astype(np.uint8),
    "blur": lambda sr: np.asarray(Image.fromarray(sr).filter(ImageFilter.GaussianBlur(0.5))),
    "seams": lambda sr: np.where(np.arange(256)[:, None] % 64 < 63, sr, 0).astype(np.uint8),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_pictures_are_noticed(damage: str, report: Path, tmp_path: Path) -> None:
    whole = opened(STAGES["folded"])
    damaged = Predictor(lambda lr, hr: DAMAGES[damage](whole.predict(lr, hr)))
    breaches = broken("folded", damaged, report, tmp_path)
    assert breaches
    assert all(line.startswith("folded ") for line in breaches)
