"""An exported file knows what its engines are built with, and the script that builds them needs nothing of ours.

TensorRT is stood in for, except in the last test, which needs it and a GPU.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from export.protocol import render
from export.tensorrt import engine
from export.tensorrt import exporter as tensorrt
from runtime.backends import build_engine
from runtime.backends.build_engine import Gpu
from runtime.cache import VARIABLE
from tadsr.program import open_program
from tests.export.programs import CARD
from tests.runtime.backends import tensorrt_stand_in

LACKING = engine.lacking()


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_stand_in)
    monkeypatch.setattr(build_engine, "find_gpu", lambda: Gpu("NVIDIA GeForce RTX 4070", "8.9"))
    monkeypatch.setattr(tensorrt_stand_in.Builder, "built", [])


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    (tmp_path / "student.int8.trt.onnx").write_bytes(b"model")
    return tmp_path / "student.int8.trt.onnx"


def test_the_file_knows_its_tiles_and_the_engine_goes_to_the_cache(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    tensorrt.FP32.export(open_program(programs / "student.pt2"), tmp_path / "student.trt.onnx")
    path = engine.build(tmp_path / "student.trt.onnx")
    assert path.parent == tmp_path / "cache"
    (config,) = tensorrt_stand_in.Builder.built
    assert [profile.shapes[3] for profile in config.profiles] == [(1, 3, tile, tile) for tile in CARD.tiles]
    assert config.flags == set()


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
    monkeypatch.undo()  # the real package
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    report = render(exporter, open_program(programs / f"{name}.pt2"), tmp_path / "student.trt.onnx")
    assert report.findings["psnr_in_tensorrt"] >= exporter.required_psnr
