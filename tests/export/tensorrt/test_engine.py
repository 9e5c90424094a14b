"""An exported file knows what its engines are built with, and the script that builds them needs nothing of ours."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from export.errors import ExportError
from export.protocol import render
from export.tensorrt import engine
from export.tensorrt import exporter as tensorrt
from runtime.backends import build_engine
from runtime.cache import VARIABLE
from tadsr.program import open_program
from tests.export.conftest import Export
from tests.export.programs import CARD, needs_int8

LACKING = engine.lacking()


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    (tmp_path / "student.int8.trt.onnx").write_bytes(b"model")
    return tmp_path / "student.int8.trt.onnx"


@pytest.mark.parametrize(
    ("exporter", "tf32"), [(tensorrt.FP32, False), pytest.param(tensorrt.INT8, True, marks=needs_int8)]
)
def test_an_engine_is_built_by_what_the_file_says(
    exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exporter: tensorrt.TensorrtExporter, tf32: bool
) -> None:
    """Only float32 promises float32: TF32 is for the others."""
    given = []

    def build(name: str, model: bytes, folder: Path, settings: build_engine.Settings) -> Path:
        given.append((name, model, folder, settings))
        return folder / "engine"

    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(build_engine, "build", build)
    path = exported(exporter).path
    assert engine.build(path) == tmp_path / "cache/engine"
    settings = build_engine.Settings(tuple(CARD.tiles), align=CARD.align, tf32=tf32)
    assert given == [(path.name, path.read_bytes(), tmp_path / "cache", settings)]


def test_what_cannot_be_built_is_one_line(exported: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise build_engine.BuildError("no driver")

    monkeypatch.setattr(build_engine, "build", fail)
    with pytest.raises(ExportError, match="no driver"):
        engine.build(exported(tensorrt.FP32).path)


def test_the_script_needs_nothing_of_ours(onnx: Path) -> None:
    script = engine.write_script(onnx.parent, replace(CARD, tiles=[128, 256], align=4))
    source = script.read_text(encoding="utf-8")
    assert "TILES: tuple[int, ...] = (128, 256)\nALIGN = 4\n" in source
    assert "import export" not in source
    assert "from runtime" not in source
    told = [run_script(script, onnx, *options) for options in ([], ["--tiles", "130"])]
    assert [done.returncode for done in told] == [2, 2]
    assert [done.stderr.count("\n") for done in told] == [1, 1]
    assert "tile 130: must be a multiple of 4" in told[1].stderr


def run_script(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """In a Python that sees neither this folder nor, by default, a GPU."""
    command = [sys.executable, "-I", str(script), *map(str, arguments)]
    return subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(LACKING is not None, reason=f"no engine can be built here: {LACKING}")
@pytest.mark.parametrize(
    ("name", "exporter"),
    [("student", tensorrt.FP32), ("student", tensorrt.FP16), ("student.int8", tensorrt.INT8)],
)
def test_an_engine_is_the_program(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, exporter: tensorrt.TensorrtExporter
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    report = render(exporter, open_program(programs / f"{name}.pt2"), tmp_path / "student.trt.onnx")
    assert report.findings["psnr_in_tensorrt"] >= exporter.required_psnr
