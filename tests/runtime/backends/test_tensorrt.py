"""TensorRT: an engine is built once of the bundle's file and runs its tiles. A stand-in plays the package and CUDA."""

import contextlib
import importlib.util
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from runtime.backends import Available, Unavailable, build_engine, choose, open_session, tensorrt
from runtime.backends.build_engine import BuildError, Gpu
from runtime.backends.table import BACKENDS
from runtime.bundle import Artifact, Bundle, read_bundle
from runtime.cache import VARIABLE
from runtime.errors import BackendError, BackendWarning, OutOfMemoryError
from tests.conftest import write_bundle_of
from tests.runtime.backends import tensorrt_stand_in
from tests.runtime.backends.concurrency import Concurrency

STATE = BACKENDS["tensorrt"].probe()
GPU = Gpu("NVIDIA GeForce RTX 4070", "8.9")
TILE = 64


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A GPU, TensorRT, torch with CUDA, and an empty cache."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_stand_in)
    monkeypatch.setattr(build_engine, "find_gpu", lambda: GPU)
    monkeypatch.setattr(tensorrt, "version_of", lambda *names: tensorrt_stand_in.__version__)
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "tensorrt" or found(name))
    monkeypatch.setattr(tensorrt_stand_in.Builder, "built", [])
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, device: empty(*shape))
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(cuda_stream=7, synchronize=lambda: None))
    monkeypatch.setattr(torch.cuda, "stream", contextlib.nullcontext)
    return monkeypatch


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    files = {
        Artifact("toy-fp32.trt.onnx", "tensorrt", "fp32"): b"float",
        Artifact("toy-int8.trt.onnx", "tensorrt", "int8"): b"integers",
    }
    return read_bundle(write_bundle_of(tmp_path / "toy.tadsr", files, tiles=[32, TILE, 128]))


def repeated(batch: np.ndarray) -> np.ndarray:
    return batch.repeat(4, axis=2).repeat(4, axis=3)


def test_an_engine_is_built_once_for_the_middle_tile(machine: pytest.MonkeyPatch, bundle: Bundle) -> None:
    with pytest.warns(BackendWarning, match=r"toy-fp32.trt.onnx for tiles of 64: once, minutes"):
        opened = open_session(bundle, "tensorrt")
    assert opened.choice.artifact.tile == TILE
    (config,) = tensorrt_stand_in.Builder.built
    assert [profile.shapes[3] for profile in config.profiles] == [(1, 3, TILE, TILE)]
    assert config.flags == set()  # float32 is float32
    assert opened.session.max_batch == 1
    tile = np.random.default_rng(0).random((1, 3, TILE, TILE), np.float32)
    np.testing.assert_array_equal(opened.session.run(tile), repeated(tile))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = open_session(bundle, "tensorrt").session
    np.testing.assert_array_equal(again.run(np.asfortranarray(tile)), repeated(tile))
    assert len(tensorrt_stand_in.Builder.built) == 1


def test_auto_takes_it_where_its_engine_is_built_already(
    machine: pytest.MonkeyPatch, tmp_path: Path, toy_bundle: Path
) -> None:
    files = {
        Artifact("toy.trt.onnx", "tensorrt", "int8"): b"integers",
        Artifact("toy.onnx", "onnx", "fp32"): (toy_bundle / "toy.onnx").read_bytes(),
    }
    bundle = read_bundle(write_bundle_of(tmp_path / "both.tadsr", files))
    assert choose(bundle.manifest)[0].backend.name == "onnx"
    assert not list(tmp_path.glob("cache*"))  # asking leaves nothing behind
    with pytest.warns(BackendWarning):
        open_session(bundle, "tensorrt")
    assert tensorrt_stand_in.Builder.built[0].flags == {"TF32"}  # between integers
    assert str(choose(bundle.manifest)[0]) == "toy.trt.onnx on tensorrt"


def test_other_tiles_are_refused(machine: pytest.MonkeyPatch, bundle: Bundle) -> None:
    with pytest.warns(BackendWarning):
        session = open_session(bundle, "tensorrt").session
    for shape in ((1, 3, 32, 32), (2, 3, TILE, TILE)):
        with pytest.raises(BackendError, match="this engine takes no"):
            session.run(np.zeros(shape, np.float32))


def test_failures(machine: pytest.MonkeyPatch, bundle: Bundle) -> None:
    with pytest.warns(BackendWarning):
        session = open_session(bundle, "tensorrt").session
    machine.setattr(tensorrt_stand_in.ExecutionContext, "fails", True)
    with pytest.raises(OutOfMemoryError, match=r"tensorrt failed: OutOfMemory .*; try a smaller tile"):
        session.run(np.zeros((1, 3, TILE, TILE), np.float32))

    def no_cuda() -> None:
        raise RuntimeError("Torch not compiled with CUDA enabled")

    with machine.context() as patch:
        patch.setattr(torch.cuda, "Stream", no_cuda)
        with pytest.raises(BackendError, match="tensorrt cannot load the model: Torch not compiled with CUDA enabled"):
            open_session(bundle, "tensorrt")
    machine.setattr(tensorrt_stand_in.CudaEngine, "create_execution_context", lambda engine: None)
    with pytest.raises(BackendError, match="tensorrt cannot load the model: it does not say why"):
        open_session(bundle, "tensorrt")
    machine.setattr(tensorrt_stand_in.Builder, "fails", True)
    with pytest.warns(BackendWarning), pytest.raises(BackendError, match=r"cannot build an engine: .*out of memory"):
        open_session(bundle, "tensorrt", "int8")


def test_an_engine_of_another_machine(machine: pytest.MonkeyPatch, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.warns(BackendWarning):
        open_session(bundle, "tensorrt")
    (engine,) = (tmp_path / "cache").glob("*.engine")
    engine.write_bytes(b"foreign")
    with pytest.raises(BackendError, match=r"\.engine: not an engine for this machine; delete it"):
        open_session(bundle, "tensorrt")


def test_threads_wait_for_their_turn(machine: pytest.MonkeyPatch, bundle: Bundle) -> None:
    counts = Concurrency()
    execute = tensorrt_stand_in.ExecutionContext.execute_async_v3
    machine.setattr(
        tensorrt_stand_in.ExecutionContext, "execute_async_v3", lambda self, s: counts.during(execute(self, s))
    )
    with pytest.warns(BackendWarning):
        session = open_session(bundle, "tensorrt").session
    tiles = [np.full((1, 3, TILE, TILE), value, np.float32) for value in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for tile, result in zip(tiles, pool.map(session.run, tiles), strict=True):
            np.testing.assert_array_equal(result, repeated(tile))
    assert counts.largest == 1


def test_probing(machine: pytest.MonkeyPatch) -> None:
    assert BACKENDS["tensorrt"].probe() == Available(tensorrt_stand_in.__version__)

    def find_none() -> Gpu:
        raise BuildError("no NVIDIA driver is here")

    machine.setattr(build_engine, "find_gpu", find_none)
    assert BACKENDS["tensorrt"].probe() == Unavailable("no NVIDIA driver is here", 'pip install "tadsr[tensorrt]"')


@pytest.mark.slow
@pytest.mark.skipif(isinstance(STATE, Unavailable), reason=getattr(STATE, "reason", ""))
def test_a_real_engine_agrees_with_onnx_runtime(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.onnx import exporter as onnx
    from export.tensorrt import exporter
    from tadsr.program import open_program

    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    program = open_program(programs / "student.pt2")
    files = {}
    for each in (exporter.FP32, onnx.FP32):
        path = tmp_path / f"student{each.suffix}"
        each.export(program, path)
        files[Artifact(path.name, each.name, "fp32")] = path.read_bytes()
    bundle = read_bundle(write_bundle_of(tmp_path / "tiny.tadsr", files, tiles=[TILE]))
    tile = np.random.default_rng(0).random((1, 3, TILE, TILE), np.float32)
    ours, theirs = (open_session(bundle, name).session.run(tile) for name in ("tensorrt", "onnx"))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
