"""Building TensorRT engines: what TensorRT is asked for, what the files are called, and what happens where it fails."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.backends import build_engine
from runtime.backends.build_engine import BuildError, Gpu, Settings
from tests.runtime.backends import tensorrt_stand_in

GPU = Gpu("NVIDIA GeForce RTX 4070", "8.9")
SETTINGS = Settings(tiles=(128, 256), batch=4, align=4)


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
