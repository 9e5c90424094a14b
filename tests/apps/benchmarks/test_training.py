"""The bench on the tests' smallest networks, and what its parts promise."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from apps.benchmarks import training, workloads
from tests.tiny import write_preset, write_reduced_preset
from train.engine.errors import TrainError
from train.engine.settings import preset_model
from train.evaluation import macs

CPU = torch.device("cpu")
ROWS = [
    "teacher sampling, 4 steps",
    "distillation step, cached samples",
    "distillation step",
    "one picture, teacher, 4 steps",
    "one picture, student, 1 step",
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.setattr(workloads, "_MATRIX_SIDES", {"cpu": (64, 128)})
    monkeypatch.setattr(workloads, "_PHOTO_SIDE", 96)

    def command(*arguments: object) -> str:
        training.main([*map(str, arguments), "--seconds=0", "--batch=2"])
        return capsys.readouterr().out

    return command


def test_report_has_every_row_with_rates_that_fit_each_other(tmp_path: Path, run: Callable[..., str]) -> None:
    preset = write_preset(tmp_path / "tiny.yaml")
    report = json.loads(run("--preset", preset, "--threads", torch.get_num_threads(), "--json", "--device=cpu"))
    assert [row["name"] for row in report["rows"]] == ROWS
    assert report["matrix_gflops_per_s"].keys() == {"64x64 matrix product", "128x128 matrix product"}
    assert report["loading_images_per_s"] > 0
    assert (report["batch"], report["precision"], report["device"]) == (2, "bf16-mixed", "cpu")
    best = max(report["matrix_gflops_per_s"].values())
    for row in report["rows"]:
        assert row["rounds"] >= 3
        assert 0 < row["least_ms"] <= row["median_ms"]
        assert row["images"] == (1 if row["name"].startswith("one picture") else 2)
        assert row["images_per_s"] == pytest.approx(1e3 * row["images"] / row["median_ms"])
        assert row["share"] == pytest.approx(row["gflop"] / row["median_ms"] * 1e3 / best)
    work = {row["name"]: row["gflop"] for row in report["rows"]}
    assert work[ROWS[2]] > max(work[ROWS[0]], work[ROWS[1]]) > 0
    assert work[ROWS[3]] > work[ROWS[4]] > 0


def test_reference_preset_too_and_options_of_distill(tmp_path: Path, run: Callable[..., str]) -> None:
    preset = write_reduced_preset(tmp_path / "reference.yaml", "reference", crop=64)
    shown = run("--preset", preset, "--student=mobile", "--device=cpu", "--precision=32-true")
    assert all(name in shown for name in ("one picture, teacher, 15 steps", "channels-last", "images/s per worker"))


def test_layouts_are_compared_by_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "_MATRIX_SIDES", {"cpu": (64,)})
    monkeypatch.setattr(workloads, "_PHOTO_SIDE", 96)
    preset = str(write_preset(tmp_path / "tiny.yaml"))
    arguments = Namespace(preset=preset, batch=2, precision="32-true", photos=None)
    settings = training._settings(arguments, ["--device=cpu"], tmp_path)
    workloads.write_networks(settings.model, tmp_path)
    workloads.write_photos(settings.photos)
    report = training.measure(settings, preset, 0, ["channels-last", "contiguous"], Console(stderr=True))
    assert [(row.name, row.layout) for row in report.rows] == [
        *((name, "channels-last") for name in ROWS),
        *((name, "contiguous") for name in ROWS),
    ]
    assert [row.gflop for row in report.rows[:5]] == [row.gflop for row in report.rows[5:]]


def test_random_weights_can_be_sampled(tmp_path: Path) -> None:
    model = preset_model(str(write_preset(tmp_path / "tiny.yaml")))
    workloads.write_networks(model, tmp_path)
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"autoencoder", "teacher"}


@pytest.mark.parametrize("bad", [["--threads", "0"], ["--preset", "mobil"], ["--batch", "0"]])
def test_mistakes_are_one_line(bad: list[str]) -> None:
    with pytest.raises(TrainError) as error:
        training.main(bad)
    assert bad[1] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_misspelt_option_is_answered_by_the_nearest() -> None:
    with pytest.raises(TrainError, match=r"did you mean --student\?"):
        training.main(["--studnt", "mobile"])


def test_flops_are_two_per_multiply_add_forward_and_backward() -> None:
    layer, x = nn.Conv2d(3, 8, 3, padding=1), torch.randn(2, 3, 10, 10, requires_grad=True)
    forward = 2 * 2 * 8 * 3 * 9 * 100
    assert macs.count_flops(lambda: layer(x)) == forward
    assert macs.count_flops(lambda: layer(x).sum().backward()) == 3 * forward


def test_matrix_products_count_2_n_cubed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "_MATRIX_SIDES", {"cpu": (32, 64)})
    for call, flops in workloads.matrix_products(torch.bfloat16, CPU).values():
        assert macs.count_flops(call) == flops


def test_memory_on_a_cpu_is_the_process_own_peak() -> None:
    before = workloads.peak_memory_of(lambda: None, CPU)
    after = workloads.peak_memory_of(lambda: torch.ones(64, 1024, 1024).sum(), CPU)
    if sys.platform == "win32":
        assert after is None
    else:
        assert before is not None
        assert after is not None
        assert after >= max(before, 256 * 2**20)
