"""The fp32 ONNX artifact: proven against the program, with the layout that the runtime needs, and safe to write."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.errors import ExportError
from export.onnx.exporter import FP32, main
from export.protocol import Exporter, Report, Tile, render
from export.verification.tiles import EQUAL_PSNR, compare_tiles, require_psnr, tiles_for
from tadsr.program import Program, ProgramError, open_program
from tests.export.conftest import Export
from tests.export.programs import CARD, TILE


@pytest.fixture(scope="module")
def program(exported: Export) -> Program:
    return exported(FP32).program


@pytest.fixture(scope="module")
def artifact(exported: Export) -> Path:
    return exported(FP32).path


def test_artifact_equals_the_program(exported: Export) -> None:
    report = exported(FP32).report
    assert report.worst_psnr >= 90
    assert report.largest_error < 1e-4


def test_artifact_is_one_file_with_clean_names_and_free_sizes(artifact: Path) -> None:
    model = onnx.load(artifact, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    (lr,), (sr,) = model.graph.input, model.graph.output
    assert (lr.name, sr.name) == ("lr", "sr")
    names = [dimension.dim_param or dimension.dim_value for dimension in lr.type.tensor_type.shape.dim]
    assert names == ["batch", 3, "height", "width"]
    assert b".py" not in artifact.read_bytes()  # no traces of where it was made


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (2, 3, 10, 4), (1, 3, 64, 30)])
def test_artifact_runs_at_any_aligned_size(artifact: Path, shape: tuple[int, ...]) -> None:
    session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    sr = np.asarray(session.run(["sr"], {"lr": np.random.default_rng(0).random(shape, dtype=np.float32)})[0])
    assert sr.shape == (shape[0], 3, 4 * shape[2], 4 * shape[3])
    assert sr.min() >= 0
    assert sr.max() <= 1


def test_a_changed_weight_is_caught(program: Program, artifact: Path, tmp_path: Path) -> None:
    model = onnx.load(artifact)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(ExportError, match="90 dB are required"):
        FP32.verify(tmp_path / "broken.onnx", program)


def test_nan_is_never_good_enough() -> None:
    with pytest.raises(ExportError):
        require_psnr(Report(float("nan"), float("nan")), 90, "nan.onnx")


def test_an_engine_that_answers_nan_on_one_tile_is_caught(program: Program) -> None:
    module = program.exported.module()

    def engine(tile: Tile) -> Tile:
        answer: Tile = module(torch.from_numpy(tile)).detach().numpy()
        return answer * np.float32(np.nan) if tile.shape[0] == 2 else answer

    with pytest.raises(ExportError, match="nan dB"):
        require_psnr(compare_tiles(program, engine), 90, "nan.onnx")


def test_equal_answers_have_the_psnr_that_stands_for_infinity(program: Program) -> None:
    module = program.exported.module()
    report = compare_tiles(program, lambda tile: module(torch.from_numpy(tile)).detach().numpy())
    assert report == Report(EQUAL_PSNR, 0.0)


def test_tiles_are_pictures_that_the_program_takes(program: Program) -> None:
    tiles = tiles_for(CARD.align, None) + tiles_for(CARD.align, TILE)
    for tile in tiles:
        assert tile.dtype == np.float32
        assert tile.min() >= 0
        assert tile.max() <= 1
        assert tile.shape[1] == 3
        assert tile.shape[2] % CARD.align == tile.shape[3] % CARD.align == 0


def test_a_program_says_what_it_is(programs: Path) -> None:
    kinds = {path.name: open_program(path) for path in programs.glob("student*.pt2")}
    for name, opened in kinds.items():
        assert opened.precision == ("int8" if "int8" in name else "fp32")
        assert opened.tile == (TILE if str(TILE) in name else None)


def test_command_writes_and_reports(programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(programs / "student.pt2"), "-o", str(tmp_path / "out.onnx")])
    done = capsys.readouterr()
    assert done.err == ""
    assert "dB from the program" in done.out
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 20


def test_a_dry_run_verifies_and_keeps_nothing(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def write(exporter: Exporter, program: Program, path: Path) -> Report:
        path.write_bytes(b"model")
        made.append(path)
        return Report(99, 0)

    monkeypatch.setattr("export.command.render", write)
    monkeypatch.chdir(tmp_path)
    main([str(programs / "student.pt2"), "--dry-run"])
    assert "student.pt2: onnx fp32 can be made: 99.0 dB from the program" in capsys.readouterr().out
    assert len(made) == 1
    assert not made[0].parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_bad_programs_are_one_line_errors(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"compress\.fold"):
        open_program(tmp_path / "missing.pt2")
    (tmp_path / "alone.pt2").write_bytes(b"no program")
    with pytest.raises(ProgramError, match=r"program\.json"):
        open_program(tmp_path / "alone.pt2")
    CARD.write(tmp_path)
    with pytest.raises(ProgramError, match="not an exported program"):
        open_program(tmp_path / "alone.pt2")


def test_programs_of_the_wrong_kind_are_one_line_errors(programs: Path, tmp_path: Path) -> None:
    for name, options, message in (
        ("student.pt2", ["--precision", "int8"], "an fp32 program; onnx int8 is made from an int8 program"),
        (f"student.{TILE}.pt2", [], f"for tiles of {TILE}; onnx fp32 is made from a program of free sizes"),
    ):
        with pytest.raises(ExportError, match=message) as error:
            main([str(programs / name), "-o", str(tmp_path / "out.onnx"), *options])
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out.onnx").exists()


def test_a_missing_package_names_the_extra(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match=r'alien is not installed; get it with: pip install "tadsr\[onnx\]"'):
        render(replace(FP32, packages=("onnx", "alien")), program, tmp_path / "out.onnx")


def test_a_failed_export_keeps_the_old_artifact(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(exporter: Exporter, program: Program, path: Path) -> Report:
        path.write_bytes(b"half of it")
        raise ExportError("not the program")

    (tmp_path / "out.onnx").write_bytes(b"old")
    monkeypatch.setattr("export.command.render", fail)
    with pytest.raises(ExportError, match="not the program"):
        main([str(programs / "student.pt2"), "-o", str(tmp_path / "out.onnx")])
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]
    assert (tmp_path / "out.onnx").read_bytes() == b"old"


def test_what_cannot_be_written_fails_before_the_work(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.command.render", lambda *arguments: pytest.fail("it was exported"))
    with pytest.raises(ExportError, match=r"cannot be written \(No such file or directory\); choose another -o"):
        main([str(programs / "student.pt2"), "-o", str(tmp_path / "no such folder" / "out.onnx")])


def test_a_user_sees_one_line_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "export.onnx", str(tmp_path / "missing.pt2"), "-o", str(tmp_path / "out.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
