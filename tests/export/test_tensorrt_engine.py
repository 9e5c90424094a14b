"""Building engines: what TensorRT is asked for, what the files are called, and what happens where it fails.

TensorRT is stood in for, except in the last test, which needs it and a GPU.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from export import tensorrt
from export.program import open_program
from export.protocol import render
from export.trt import engine
from runtime.backends import build_engine
from runtime.backends.build_engine import BuildError, Gpu, Settings
from runtime.cache import VARIABLE
from tests.export import tensorrt_stand_in
from tests.export.programs import CARD

GPU = Gpu("NVIDIA GeForce RTX 4070", "8.9")
SETTINGS = Settings(tiles=(128, 256), batch=4, align=4)
LACKING = engine.lacking()


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_stand_in)
    monkeypatch.setattr(build_engine, "find_gpu", lambda: GPU)
    monkeypatch.setattr(tensorrt_stand_in.Builder, "built", [])


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    (tmp_path / "student.int8.trt.onnx").write_bytes(b"model")
    return tmp_path / "student.int8.trt.onnx"


def build(onnx: Path, settings: Settings) -> Path:
    return build_engine.build(onnx.name, onnx.read_bytes(), onnx.parent, settings)


def test_an_engine_is_built_once(onnx: Path) -> None:
    path = build(onnx, SETTINGS)
    assert path.read_bytes() == b"engine of model"
    assert path.name.startswith("student.int8.nvidia-geforce-rtx-4070.sm89.trt11.0.0.")
    assert build(onnx, SETTINGS) == path
    (config,) = tensorrt_stand_in.Builder.built
    assert [profile.shapes for profile in config.profiles] == [
        ("lr", (1, 3, 128, 128), (4, 3, 128, 128), (4, 3, 128, 128)),
        ("lr", (1, 3, 256, 256), (4, 3, 256, 256), (4, 3, 256, 256)),
    ]


@pytest.mark.parametrize("tf32", [False, True])
def test_float32_is_float32_unless_asked(onnx: Path, tf32: bool) -> None:
    build(onnx, replace(SETTINGS, tf32=tf32))
    assert tensorrt_stand_in.Builder.built[0].flags == ({"TF32"} if tf32 else set())


def test_what_an_engine_depends_on_is_in_its_name(onnx: Path) -> None:
    paths = {
        build_engine.engine_path(onnx.name, sha256, onnx.parent, settings, gpu, version)
        for sha256, settings, gpu, version in (
            ("a", SETTINGS, GPU, "11.0.0"),
            ("b", SETTINGS, GPU, "11.0.0"),
            ("a", replace(SETTINGS, tiles=(128,)), GPU, "11.0.0"),
            ("a", replace(SETTINGS, batch=1), GPU, "11.0.0"),
            ("a", replace(SETTINGS, tf32=True), GPU, "11.0.0"),
            ("a", SETTINGS, replace(GPU, name="NVIDIA H100"), "11.0.0"),
            ("a", SETTINGS, replace(GPU, capability="9.0"), "11.0.0"),
            ("a", SETTINGS, GPU, "11.0.1"),
        )
    }
    assert len(paths) == 8


def test_timings_are_kept_and_those_of_another_gpu_are_not_used(onnx: Path) -> None:
    build(onnx, SETTINGS)
    timings = onnx.with_name("nvidia-geforce-rtx-4070.sm89.trt11.0.0.timings")
    assert timings.read_bytes() == b"t"
    build(onnx, replace(SETTINGS, batch=2))
    assert timings.read_bytes() == b"tt"
    timings.write_bytes(b"of another GPU")
    build(onnx, replace(SETTINGS, batch=3))
    assert timings.read_bytes() == b"t"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (replace(SETTINGS, tiles=(128, 130)), "tile 130: must be a multiple of 4"),
        (replace(SETTINGS, tiles=(0,)), "tile 0: must be a multiple of 4"),
        (replace(SETTINGS, batch=0), "batch 0: must be 1 or more"),
    ],
)
def test_impossible_settings(onnx: Path, settings: Settings, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        build(onnx, settings)


def test_what_tensorrt_refuses_leaves_nothing(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_stand_in.Builder, "fails", True)
    with pytest.raises(BuildError, match="could not build an engine: out of memory"):
        build(onnx, SETTINGS)
    onnx.write_bytes(b"")
    with pytest.raises(BuildError, match="does not read it: no such operator"):
        build(onnx, SETTINGS)
    assert list(onnx.parent.iterdir()) == [onnx]


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
