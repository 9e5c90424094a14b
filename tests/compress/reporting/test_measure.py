"""Rows of a report: what ``python -m compress.report measure`` measures, writes and refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compress.report import main
from compress.reporting.comparison import mean_psnr, worst_tile
from compress.reporting.measure import check_report, kept_picture, measure
from compress.reporting.results import METRICS, StageResult, put_result, read_report, read_report_of
from tadsr import commands
from tests.tiny import write_networks
from train.data.synthetic import draw_synthetic
from train.engine.errors import TrainError
from train.evaluation import metrics
from train.evaluation.metrics import MetricError
from train.evaluation.pairs import find_pairs
from train.evaluation.predictors import Picture, Predict, Predictor
from train.evaluation.scoring import bicubic


def write_pairs(folder: Path, seed: int = 0, count: int = 2) -> Path:
    for side in ("HR", "LR"):
        (folder / side).mkdir(parents=True)
    for i in range(count):
        hr = Image.fromarray(draw_synthetic(np.random.default_rng(seed + i), 128))
        hr.save(folder / "HR" / f"{i}.png")
        hr.resize((32, 32), Image.Resampling.BICUBIC).save(folder / "LR" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs") / "val")


def enlarged(lr: Picture, hr: Picture | None) -> Picture:
    return bicubic(lr, 4)


def row(
    stage: str, predict: Predict, pairs: Path, report: Path, baseline: str | None = None, size: int = 100
) -> StageResult:
    predictor = Predictor(predict, size=size, parameters=10, count_macs=lambda: 1000)
    return measure(stage, predictor, pairs, report, baseline=baseline, provenance={"command": "a test", "seed": 0})


def test_row_is_measured_written_and_read_again(pairs: Path, tmp_path: Path) -> None:
    teacher = row("teacher", enlarged, pairs, tmp_path)
    assert teacher.baseline is None
    assert not {"psnr_previous", "psnr_teacher", "size_ratio"} & teacher.metrics.keys()
    assert teacher.metrics["psnr_y"] == pytest.approx(
        np.mean([metrics.psnr_y(enlarged(lr, hr), hr) for _, lr, hr in find_pairs(pairs) if hr is not None])
    )
    assert teacher.provenance["pairs"] == "val"
    assert teacher.provenance["count"] == 2
    assert read_report(tmp_path).results == [teacher]
    _, lr, hr = find_pairs(pairs)[0]
    assert np.array_equal(kept_picture(tmp_path, "teacher", "0.png"), enlarged(lr, None))
    assert hr is not None
    assert np.array_equal(kept_picture(tmp_path, "HR", "0.png"), hr)


def test_row_is_compared_with_another_and_with_the_teacher(pairs: Path, tmp_path: Path) -> None:
    black: list[str] = []

    def one_black(lr: Picture, hr: Picture | None) -> Picture:
        sr = enlarged(lr, hr).copy()
        if not black:
            black.append("once")
            sr[64:80, 100:120] = 0
        return sr

    row("teacher", enlarged, pairs, tmp_path)
    worse = row("student", one_black, pairs, tmp_path, "teacher", size=27)
    assert worse.worst.picture == worse.worst.tile.picture == "0.png"
    assert (worse.worst.tile.left, worse.worst.tile.top) == (64, 64)
    assert worse.worst.tile.psnr < worse.worst.psnr == worse.metrics["psnr_previous_worst"]
    assert worse.metrics["psnr_previous"] == worse.metrics["psnr_teacher"] == worse.worst.psnr  # the other is equal
    assert worse.metrics["psnr_y_change"] < 0
    assert worse.metrics["size_ratio"] == 0.27
    assert worse.metrics["macs_ratio"] == 1


def test_equal_pictures_have_infinite_psnr_also_in_json(pairs: Path, tmp_path: Path) -> None:
    row("folded", enlarged, pairs, tmp_path)
    same = row("onnx-fp32", enlarged, pairs, tmp_path, "folded")
    assert same.metrics["psnr_previous"] == math.inf
    written = json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert written["rows"][1]["figures"]["psnr_previous"] == "inf"
    assert read_report(tmp_path).find("onnx-fp32") == same


def test_row_replaces_that_of_its_name_and_rows_keep_the_stages_order(pairs: Path, tmp_path: Path) -> None:
    for stage, size in (("mine", 1), ("qat", 2), ("teacher", 3), ("qat", 4)):
        row(stage, enlarged, pairs, tmp_path, size=size)
    assert [(r.stage, r.metrics["size"]) for r in read_report(tmp_path).results] == [
        ("teacher", 3),
        ("qat", 4),
        ("mine", 1),
    ]


def test_failed_measurement_leaves_the_earlier_row(pairs: Path, tmp_path: Path) -> None:
    before = row("qat", enlarged, pairs, tmp_path)
    with pytest.raises(MetricError, match=r"0\.png: "):
        row("qat", lambda lr, hr: lr, pairs, tmp_path)
    assert read_report(tmp_path).results == [before]
    assert kept_picture(tmp_path, "qat", "0.png").shape == (128, 128, 3)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["HR", "qat"]


def test_mistakes_are_told_in_one_line(pairs: Path, tmp_path: Path) -> None:
    row("folded", enlarged, pairs, tmp_path)
    others = write_pairs(tmp_path / "others", seed=9)
    for call, message in (
        (lambda: row("qat", enlarged, pairs, tmp_path, "foldet"), r"--baseline foldet: .*did you mean folded\?"),
        (lambda: row("qat", enlarged, pairs, tmp_path, "qat"), "--baseline qat: .*itself"),
        (lambda: row("My Row", enlarged, pairs, tmp_path), "My Row: not a name"),
        (lambda: row("qat", enlarged, others, tmp_path), r"2 other pairs \(val\), not of these 2 \(others\)"),
        (lambda: row("qat", enlarged, pairs / "LR", tmp_path), "LR: a row needs originals"),
        (lambda: row("qat", enlarged, tmp_path / "none", tmp_path), "none"),
        (lambda: check_report(pairs, None), "--pairs: .*give --report too"),
        (lambda: check_report(None, tmp_path), "--report: .*give --pairs too"),
        (lambda: check_report(pairs, tmp_path, "ptq"), "--baseline ptq: "),
        (lambda: check_report(others, tmp_path), "other pairs"),
    ):
        with pytest.raises(TrainError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    check_report(None, None)
    check_report(pairs, tmp_path, "folded")
    assert [r.stage for r in read_report(tmp_path).results] == ["folded"]


def test_lost_pictures_of_the_row_compared_with_are_named(pairs: Path, tmp_path: Path) -> None:
    row("folded", enlarged, pairs, tmp_path)
    (tmp_path / "pictures" / "folded" / "1.png").unlink()
    with pytest.raises(TrainError, match=r"1\.png: no such file; measure folded again"):
        row("qat", enlarged, pairs, tmp_path, "folded")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"format_version": 2}',
        '{"format_version": 1, "pairs": {"name": "a"}, "rows": []}',
        '{"format_version": 1, "pairs": {"name": "a", "count": 1, "sha256": "0"}, "rows": [{"stage": "qat"}]}',
        '{"format_version": 1, "pairs": {"name": "a", "count": 1, "sha256": "0"}, "rows": {"qat": 1}}',
    ],
)
def test_damaged_report_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(TrainError, match=r"report\.json: damaged, or not a report") as caught:
        read_report(tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_metric_in_a_report_is_damage(pairs: Path, tmp_path: Path) -> None:
    row("qat", enlarged, pairs, tmp_path)
    path = tmp_path / "report.json"
    path.write_text(path.read_text().replace('"psnr_y"', '"psnr_z"'))
    with pytest.raises(TrainError, match="unknown metric psnr_z"):
        read_report(tmp_path)


def test_put_result_writes_every_metric(pairs: Path, tmp_path: Path) -> None:
    first = row("qat", enlarged, pairs, tmp_path)
    report = read_report(tmp_path)
    full = StageResult("qat", None, {name: i + 0.5 for i, name in enumerate(METRICS)}, first.worst, {})
    put_result(full, report, tmp_path)
    assert read_report_of(report.pairs, tmp_path).results == [full]


@given(st.lists(st.one_of(st.just(math.inf), st.floats(10, 90)), max_size=6))
def test_mean_psnr_is_not_hidden_by_equal_pictures(values: list[float]) -> None:
    mean, finite = mean_psnr(values), [value for value in values if value < math.inf]
    assert mean == (pytest.approx(np.mean(finite)) if finite else math.inf)


@given(
    st.tuples(st.integers(8, 150), st.integers(8, 150)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.integers(1, 255),
)
def test_worst_tile_holds_the_only_error(size: tuple[int, int], place: tuple[float, float], error: int) -> None:
    a = np.zeros((*size, 3), np.uint8)
    b = a.copy()
    y, x = (int(part * (length - 1)) for part, length in zip(place, size, strict=True))
    b[y, x, 1] = error
    tile = worst_tile("a", a, b)
    assert tile.top <= y < tile.top + tile.height <= size[0]
    assert tile.left <= x < tile.left + tile.width <= size[1]
    assert (tile.height, tile.width) == (min(64, size[0]), min(64, size[1]))
    assert tile.psnr == pytest.approx(10 * math.log10(255**2 * 3 * tile.height * tile.width / error**2))


def run(*arguments: object) -> int:
    """The exit code of the command."""
    try:
        commands.run(lambda: main(["measure", *map(str, arguments)]))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_command_measures_networks_and_bundles(
    pairs: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = write_networks(tmp_path)
    common = ("--pairs", pairs, "--report", tmp_path / "report")
    assert run("teacher", networks / "teacher.safetensors", *common) == 0
    words = ("onnx-fp32", toy_bundle, "--baseline", "teacher", "--precision", "fp32")
    assert run(*words, *common) == 0
    assert "dB to teacher" in capsys.readouterr().out
    teacher, bundle = read_report(tmp_path / "report").results
    files = [networks / f"{name}.safetensors" for name in ("teacher", "autoencoder")]
    assert teacher.metrics["size"] == sum(file.stat().st_size for file in files)
    assert teacher.metrics["macs_per_pixel"] > 0
    assert teacher.provenance["seed"] == 0
    assert teacher.provenance["command"].startswith("python -m compress.report measure teacher ")
    assert bundle.metrics["size"] == (toy_bundle / "toy.onnx").stat().st_size

    for mistake, message in (
        (("qat", toy_bundle, "--baseline", "teachr"), "did you mean teacher?"),
        (("qat", tmp_path / "model.pth"), "model.pth: not a model"),
    ):
        assert run(*mistake, *common) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert message in said.err
