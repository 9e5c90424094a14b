"""Metrics through pyiqa: a module of its shape stands in, for the tests have neither its weights nor a network."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from train import evaluate
from train.data.synthetic import draw_synthetic
from train.engine.errors import TrainError
from train.evaluation.perceptual import open_metrics

MODES = {"lpips": "FR", "clipiqa": "NR", "musiq": "NR", "fid": "NR"}


def mean_of(folder: str) -> float:
    paths = sorted(Path(folder).rglob("*.png"))
    assert len(paths) == 2
    return float(np.mean([np.asarray(Image.open(path)).mean() for path in paths]))


class FakeMetric:
    """pyiqa.models.inference_model.InferenceModel as far as it is used."""

    def __init__(self, name: str) -> None:
        self.name, self.metric_mode = name, MODES[name]

    def __call__(self, target: Any, ref: Any = None, verbose: bool = True) -> Any:
        if self.name == "fid":
            assert not verbose
            return abs(mean_of(target) - mean_of(ref))
        assert target.shape[:2] == (1, 3)
        assert 0 <= target.min() <= target.max() <= 1
        sys.stdout.write("Loading pretrained model\n")  # as pyiqa does
        return (target - ref).abs().mean() if self.metric_mode == "FR" else 100 * target.mean().view(1, 1)


@pytest.fixture
def pyiqa(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    module = SimpleNamespace(__spec__=object(), list_models=lambda: list(MODES), create_metric=FakeMetric)
    monkeypatch.setitem(sys.modules, "pyiqa", module)  # type: ignore[arg-type]
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for i in range(2):
        hr = Image.fromarray(draw_synthetic(np.random.default_rng(i), 128))
        for side, picture in (("HR", hr), ("LR", hr.resize((32, 32), Image.Resampling.BICUBIC))):
            (folder / side).mkdir(exist_ok=True)
            picture.save(folder / side / f"{i}.png")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def command(*arguments: object) -> str:
        evaluate.main([*map(str, arguments)])
        return capsys.readouterr().out

    return command


@pytest.mark.usefixtures("pyiqa")
def test_columns_appear_when_asked_for(data: Path, toy_bundle: Path, run: Callable[..., str]) -> None:
    rows = json.loads(run(data, toy_bundle, "--perceptual", "lpips,musiq,fid", "--json"))
    for figures in rows.values():
        assert list(figures["mean"])[-3:] == ["lpips", "musiq", "fid"]
        assert all(list(row)[-2:] == ["lpips", "musiq"] for row in figures["pictures"].values())
    assert rows["HR"]["mean"]["lpips"] == rows["HR"]["mean"]["fid"] == 0
    assert rows["bicubic"]["mean"]["lpips"] > 0
    assert 0 < rows[f"{toy_bundle}, fp32"]["mean"]["musiq"] < 100
    header = run(data, toy_bundle, "--perceptual", "clipiqa").splitlines()[0].split()
    assert header[-1] == "clipiqa"
    assert "clipiqa" not in run(data, toy_bundle)


@pytest.mark.usefixtures("pyiqa")
def test_without_hr_only_metrics_that_need_none(data: Path, toy_bundle: Path, run: Callable[..., str]) -> None:
    mean = json.loads(run(data / "LR", toy_bundle, "--perceptual", "lpips,clipiqa,fid", "--json"))["bicubic"]["mean"]
    assert (mean["lpips"], mean["fid"]) == (None, None)
    assert mean["clipiqa"] > 0


@pytest.mark.usefixtures("pyiqa")
def test_lpips_of_the_formula() -> None:
    sr, hr = np.full((4, 4, 3), 51, np.uint8), np.zeros((4, 4, 3), np.uint8)
    lpips = open_metrics(["lpips"]).of_pictures["lpips"]
    assert lpips(sr, hr) == pytest.approx(0.2)
    assert math.isnan(lpips(sr, None))


@pytest.mark.usefixtures("pyiqa")
def test_misspelt_metric_is_told_the_nearest() -> None:
    with pytest.raises(TrainError, match=r"lpip: no metric of pyiqa, did you mean lpips\?"):
        open_metrics(["lpip"])


def test_a_failing_metric_is_one_line(pyiqa: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str) -> FakeMetric:
        raise OSError("no\nnetwork")

    monkeypatch.setattr(pyiqa, "create_metric", offline)
    with pytest.raises(TrainError, match=r"musiq: pyiqa cannot compute it \(no network\)"):
        open_metrics(["musiq"])


def test_absent_pyiqa_is_one_line_that_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainError, match=r'lpips,fid: pyiqa is not installed; .*pip install "tadsr\[metrics\]"'):
        open_metrics(["lpips", "fid"])
    assert open_metrics([]).of_pictures == {}


@pytest.mark.usefixtures("pyiqa")
def test_values_are_plain_numbers() -> None:
    value = open_metrics(["musiq"]).of_pictures["musiq"](np.full((4, 4, 3), 255, np.uint8), None)
    assert type(value) is float
    assert value == pytest.approx(100)
