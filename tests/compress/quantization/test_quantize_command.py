"""``python -m compress.quantize``: what it writes, measures and resumes, and its mistakes in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("torchao", reason="INT8 is made by torchao; pip install 'tadsr[compress]'")
pytest.importorskip("nncf", reason="ranges are measured by NNCF; pip install 'tadsr[compress]'")

from compress import quantize
from compress.quantization.post_training import SENSITIVITY
from compress.reporting.results import read_report
from runtime.errors import TadsrError
from tadsr import commands
from tadsr.program import ProgramError, open_program, read_metadata
from tests.export.programs import TILE
from train.data.teacher_samples import file_hash
from train.engine.errors import PhotoError, TrainError

Arguments = Callable[..., list[str]]
INT8 = f"student.int8.{TILE}.pt2"


@pytest.fixture(scope="module")
def measured(folded: Path, asked: Arguments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps, with its report beside it."""
    out = tmp_path_factory.mktemp("quantize") / "run"
    quantize.main(asked(out, pairs=folded / "pairs", report=out.parent / "report"))
    return out


def weights(path: Path) -> dict[str, Tensor]:
    return dict(open_program(path).exported.state_dict)


def test_a_program_for_every_size_its_metadata_and_the_scan_are_written(measured: Path, folded: Path) -> None:
    programs = {path.name for path in measured.glob("*.pt2")}
    assert programs == {"student.int8.pt2", INT8}
    with torch.no_grad():
        free, static = (open_program(measured / name).exported.module() for name in ("student.int8.pt2", INT8))
        picture = torch.rand(1, 3, TILE, TILE)
        torch.testing.assert_close(static(picture), free(picture))
        assert free(torch.rand(2, 3, 12, 20)).shape == (2, 3, 48, 80)
    metadata, before = read_metadata(measured / INT8), read_metadata(folded / "student.pt2")
    made = metadata.provenance["quantisation"]
    assert (metadata.name, metadata.tiles, metadata.effective_radius) == (
        before.name,
        before.tiles,
        before.effective_radius,
    )
    assert made["finetuning"]["steps"] == 2
    assert made["program"]["file"] == "student.pt2"
    assert made["command"].startswith("python -m compress.quantize ")
    scanned = json.loads((measured / SENSITIVITY).read_text())
    assert {"lr_encoder.layers.0", "student.conv_in", "decoder.5.0"} <= set(scanned["keep_float"])
    assert {layer["name"] for layer in scanned["layers"]} >= {"student.middle.0.conv1", "student.middle.0.sum"}


def test_every_stage_has_its_row(measured: Path) -> None:
    rows = read_report(measured.parent / "report").results
    assert [(row.stage, row.baseline) for row in rows] == [("folded", None), ("ptq", "folded"), ("qat", "folded")]
    for row in rows[1:]:
        assert row.metrics["macs_ratio"] == 1
        assert row.metrics["psnr_previous"] > 25


@pytest.mark.slow
def test_a_finished_run_is_measured_by_giving_its_command_again(
    measured: Path, folded: Path, asked: Arguments, tmp_path: Path
) -> None:
    shutil.copytree(measured, tmp_path / "run")
    before = weights(measured / "student.int8.pt2")
    quantize.main(asked(tmp_path / "run", pairs=folded / "pairs", report=tmp_path / "report"))
    after = weights(tmp_path / "run/student.int8.pt2")
    assert all(after[name].equal(value) for name, value in before.items())
    assert [row.stage for row in read_report(tmp_path / "report").results] == ["folded", "ptq", "qat"]


def test_ptq_stops_after_calibration(measured: Path, folded: Path, asked: Arguments, tmp_path: Path) -> None:
    report = shutil.copytree(measured.parent / "report", tmp_path / "report")
    before = read_report(report)
    named = {"keep-float": "decoder.1.conv1,student.middle.0.sum"}  # as users write it
    other = {"program": "another", "keep_float": [], "layers": [{"name": "sky", "macs": 0.001, "error": 1}]}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / SENSITIVITY).write_text(json.dumps(other))
    quantize.main([*asked(tmp_path / "run", pairs=folded / "pairs", report=report, **named), "--ptq"])
    after = read_report(report)
    for stage, same in (("folded", True), ("ptq", False), ("qat", True)):
        assert (after.find(stage, "") == before.find(stage, "")) == same, "of the three only its own row is measured"
    assert not list((tmp_path / "run").glob("*.safetensors"))
    made = weights(tmp_path / "run/student.int8.pt2")
    assert made["decoder.1.conv1.weight"].dtype == torch.float32
    assert "decoder.1.conv2.weight" not in made
    trained = weights(measured / "student.int8.pt2")
    assert any(not made[name].equal(trained[name]) for name in made.keys() & trained.keys())
    scanned = json.loads((tmp_path / "run" / SENSITIVITY).read_text())
    assert scanned["program"] == file_hash(folded / "student.pt2"), "a scan of another program is not taken"
    assert "sky" not in json.dumps(scanned)


@pytest.fixture
def damaged(folded: Path, tmp_path: Path, measured: Path) -> dict[str, Path]:
    """Programs that cannot be quantised."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folded / "student.pt2", alone)
    text = tmp_path / "text.pt2"
    text.write_text("no program")
    shutil.copy(folded / "program.json", tmp_path)
    return {
        "INT8": measured / "student.int8.pt2",
        "static": folded / f"student.{TILE}.pt2",
        "missing": folded / "none.pt2",
        "no metadata": alone / "student.pt2",
        "text": text,
    }


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("INT8", TrainError, r"student\.int8\.pt2: is in INT8 already; give the float program"),
        ("static", TrainError, rf"student\.{TILE}\.pt2: takes pictures of one size; give the program of free size"),
        ("missing", ProgramError, r"none\.pt2: no such file.*make the program with `python -m compress\.fold`"),
        ("text", ProgramError, r"text\.pt2: not an exported program"),
        ("no metadata", ProgramError, r"program\.json: no such file; make the program and its"),
    ],
)
def test_programs_that_cannot_be_quantised(
    program: str, error: type[TadsrError], message: str, damaged: dict[str, Path], asked: Arguments, tmp_path: Path
) -> None:
    refused(asked(tmp_path / "o", program=damaged[program]), error, message)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"keep_float": "decoder.1.conv3"},
            TrainError,
            r"--keep-float decoder\.1\.conv3: .* did you mean decoder\.1\.conv\d\?",
        ),
        ({"keep_float": "decoder.1.conv1,sky"}, TrainError, r"--keep-float sky: the program has no such .* there are "),
        ({"calibration": 5}, TrainError, r"photos: 4 pictures, and the ranges .* on 5; give more.*--calibration 4"),
        ({"calibration": 0}, TrainError, r"--calibration 0: give 1 or more"),
        ({"float_macs": 1.5}, TrainError, r"--float-macs 1\.5: a fraction, give 0 to 1"),
        ({"float_macs": -0.1}, TrainError, r"--float-macs -0\.1: a fraction"),
        ({"precision": "bf16-mixed"}, TrainError, r"--precision bf16-mixed: .* give 32-true"),
        ({"report": "report"}, TrainError, r"--report: .*give --pairs too"),
    ],
)
def test_mistakes_are_told_in_one_line(
    changed: dict[str, Any], error: type[TadsrError], message: str, asked: Arguments, tmp_path: Path
) -> None:
    refused(asked(tmp_path / "o", **changed), error, message)
    assert not list((tmp_path / "o").glob("*.pt2"))


def test_a_run_with_other_settings_keeps_what_it_wrote(measured: Path, asked: Arguments, tmp_path: Path) -> None:
    shutil.copytree(measured, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pt2")}
    refused(asked(tmp_path / "run", lr=0.5), TrainError, r"run: holds a run with other settings \(lr .* -> 0\.5\)")
    refused([*asked(tmp_path / "run"), "--ptq"], TrainError, r"other settings \(ptq False -> True\)")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pt2")} == before


def test_a_folder_without_photos(asked: Arguments, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(asked(tmp_path / "o", photos=tmp_path / "empty"), PhotoError, "empty")


def refused(argv: list[str], error: type[TadsrError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        quantize.main(argv)
    assert "\n" not in str(caught.value)


def test_a_mistake_ends_with_one_line_and_exit_code_2(
    asked: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda: quantize.main(asked(tmp_path / "o", keep_float="sky")))
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("error: --keep-float sky: the program has no such")
    assert "Traceback" not in said.err
