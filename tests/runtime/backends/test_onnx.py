"""ONNX Runtime, its providers where they are (a stand-in plays them), and what its errors mean."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from runtime.backends import Available, Unavailable
from runtime.backends.failures import failure
from runtime.backends.onnx import COREML, CUDA, DIRECTML, PROCESSOR, OnnxBackend, OnnxSession
from runtime.bundle import read_bundle
from runtime.errors import BackendError, OutOfMemoryError
from runtime.manifest import Artifact
from tests.conftest import write_bundle_of
from tests.runtime.backends.concurrency import Concurrency

ROOT = Path(__file__).parents[3]
PROVIDERS = (CUDA, DIRECTML, COREML)


def load(bundle: Path, backend: OnnxBackend = PROCESSOR, threads: int | None = 1) -> OnnxSession:
    opened = read_bundle(bundle)
    return backend.load(opened, opened.manifest.artifacts[0], threads)


def bundle_of(folder: Path, model: bytes) -> Path:
    """A bundle whose one ONNX file has these bytes."""
    return write_bundle_of(folder / "other.tadsr", {Artifact("other.onnx", "onnx", "fp32"): model})


def test_it_is_here() -> None:
    assert PROCESSOR.probe() == Available(onnxruntime.__version__)


def test_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert PROCESSOR.probe() == Unavailable("onnxruntime is not installed", "pip install onnxruntime")


def test_it_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"onnx cannot load the model: .*; try another backend"):
        load(bundle_of(tmp_path, b"not a model"))


def test_it_refuses_other_names(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BackendError, match="must map 'lr' to 'sr'"):
        load(bundle_of(tmp_path, model.SerializeToString()))


def test_it_runs_batches_and_reports_failures(toy_bundle: Path) -> None:
    session = load(toy_bundle)
    assert session.max_batch is None
    batch = np.random.default_rng(0).random((3, 3, 8, 12), np.float32)
    result = session.run(batch)
    assert (result.shape, result.dtype) == ((3, 3, 32, 48), np.float32)
    with pytest.raises(BackendError, match="onnx failed") as error:
        session.run(np.zeros((1, 4, 8, 8), np.float32))
    assert not isinstance(error.value, OutOfMemoryError)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 536870912\n"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes"),
        RuntimeError("method->execute() failed with error 0x21"),
    ],
)
def test_a_lack_of_memory_is_told_from_other_failures(error: Exception) -> None:
    result = failure("it failed", error, "try another backend")
    assert isinstance(result, OutOfMemoryError)
    assert str(result).endswith("; try a smaller tile")
    assert "\n" not in str(result)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory that the system keeps, as Linux does")
def test_a_real_lack_of_memory_and_a_smaller_tile_after_it() -> None:
    code = """
        import resource, sys
        import numpy as np, runtime
        from runtime.backends import open_session
        bundle = runtime.read_bundle(runtime.DEFAULT_BUNDLE)
        session = open_session(bundle, "onnx", "fp32", threads=1).session
        held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + 600 * 2**20,) * 2)
        try:
            session.run(np.zeros((1, 3, 2048, 2048), np.float32))
        except runtime.OutOfMemoryError as error:
            sys.stdout.write(str(error))
        assert session.run(np.zeros((1, 3, 64, 64), np.float32)).shape == (1, 3, 256, 256)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("onnx failed: ")
    assert done.stdout.endswith("; try a smaller tile")


def test_a_failure_is_one_line() -> None:
    result = failure("it failed", RuntimeError("Exception from src/a.cpp:1:\nbad  shape\n\n"), "try another")
    assert str(result) == "it failed: bad shape; try another"
    assert str(failure("it failed", ValueError(), "try another")) == "it failed: ValueError; try another"
    assert len(str(failure("", ValueError("x" * 5000), ""))) < 500


@pytest.mark.parametrize(
    ("backend", "platform", "file"),
    [
        (CUDA, "linux", "libonnxruntime_providers_cuda.so"),
        (CUDA, "win32", "onnxruntime_providers_cuda.dll"),
        (DIRECTML, "win32", "DirectML.dll"),
        (COREML, "darwin", "onnxruntime_pybind11_state.so"),
    ],
)
def test_a_provider_is_there_where_its_file_is(
    backend: OnnxBackend, platform: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: package)
    assert backend.probe() == Unavailable(
        f"the onnxruntime that is installed has no {backend.provider}", backend.install
    )
    (tmp_path / "capi").mkdir()
    (tmp_path / "capi" / file).touch()
    assert isinstance(backend.probe(), Available)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS builds of ONNX Runtime have Core ML's provider")
@pytest.mark.parametrize("backend", [COREML, DIRECTML])
def test_other_systems_lack_it(backend: OnnxBackend) -> None:
    assert isinstance(backend.probe(), Unavailable)


class FakeRuntime:
    """Plays onnxruntime 1.31 with every provider: the names that we call, and a record of the calls."""

    SessionOptions = onnxruntime.SessionOptions

    def __init__(self, starts: bool = True) -> None:
        self.starts = starts
        self.preloaded = 0

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def InferenceSession(self, model: bytes, options: Any, **given: Any) -> Any:  # noqa: N802
        self.options, self.given = options, given
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        running = given["providers"] if self.starts else ["CPUExecutionProvider"]
        return SimpleNamespace(
            get_providers=lambda: running,
            get_inputs=session.get_inputs,
            get_outputs=session.get_outputs,
            run=session.run,
        )


@pytest.mark.parametrize("backend", PROVIDERS)
def test_a_provider_is_asked_for_as_its_documents_say(
    backend: OnnxBackend, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRuntime()
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    session = load(toy_bundle, backend, threads=2)
    assert fake.given["providers"] == [backend.provider, "CPUExecutionProvider"]
    assert fake.given["provider_options"] == [dict(backend.options), {}]
    assert fake.given["enable_fallback"] == 0
    assert (fake.options.enable_mem_pattern, fake.options.intra_op_num_threads) == (backend.memory_pattern, 2)
    assert fake.preloaded == backend.preload
    assert session.run(np.zeros((1, 3, 8, 8), np.float32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("backend", PROVIDERS)
def test_a_provider_that_does_not_start_is_an_error(
    backend: OnnxBackend, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(starts=False))
    with pytest.raises(BackendError, match=f"{backend.name}: {backend.provider} does not start"):
        load(toy_bundle, backend)


@pytest.mark.parametrize(("backend", "most"), [(DIRECTML, 1), (PROCESSOR, 4)])
def test_threads_wait_for_their_turn_where_the_provider_wants_it(backend: OnnxBackend, most: int) -> None:
    counts = Concurrency()
    session = OnnxSession(SimpleNamespace(run=lambda names, given: [counts.during(given["lr"])]), backend)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(session.run, [np.zeros((1, 3, 8, 8), np.float32)] * 8))
    assert 1 <= counts.largest <= most


def real(backend: OnnxBackend) -> Any:
    state = backend.probe()
    reason = state.reason if isinstance(state, Unavailable) else ""
    return pytest.param(backend, marks=pytest.mark.skipif(bool(reason), reason=reason), id=backend.name)


@pytest.mark.parametrize("backend", [real(backend) for backend in PROVIDERS])
def test_a_provider_agrees_with_the_processor(backend: OnnxBackend, toy_bundle: Path) -> None:
    batch = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    np.testing.assert_allclose(load(toy_bundle, backend).run(batch), load(toy_bundle).run(batch), atol=1e-4)
