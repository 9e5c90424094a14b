from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from runtime.backends import BACKENDS, Available, Backend, Session, Unavailable, select_artifact
from runtime.backends.onnx import OnnxBackend
from runtime.bundle import Artifact, read_bundle
from runtime.errors import BackendError, BundleError
from runtime.manifest import Manifest


@dataclass(frozen=True)
class MissingBackend:
    name: str = "missing"

    def probe(self) -> Available | Unavailable:
        return Unavailable("its package is not installed", "pip install missing")

    def load(self, model: bytes, threads: int | None) -> Session:
        raise AssertionError("never asked")


TABLE: dict[str, Backend] = {"missing": MissingBackend(), "onnx": BACKENDS["onnx"]}


@pytest.fixture
def manifest(toy_bundle: Path) -> Manifest:
    files = [("a", "missing", "fp32"), ("b", "alien", "fp32"), ("c", "onnx", "int8"), ("d", "onnx", "fp32")]
    return replace(read_bundle(toy_bundle).manifest, artifacts=[Artifact(*entry) for entry in files])


def test_auto_takes_the_first_that_can_run(manifest: Manifest) -> None:
    assert select_artifact(manifest, table=TABLE).file == "c"
    assert select_artifact(manifest, precision="fp32", table=TABLE).file == "d"
    assert select_artifact(manifest, backend="onnx", precision="fp32", table=TABLE).file == "d"


def test_a_named_backend_is_never_replaced(manifest: Manifest) -> None:
    with pytest.raises(BackendError, match=r"backend missing cannot be used.*pip install missing"):
        select_artifact(manifest, backend="missing", table=TABLE)
    with pytest.raises(BackendError, match="backend=tensorflow: unknown; choose one of auto, missing, onnx"):
        select_artifact(manifest, backend="tensorflow", table=TABLE)
    with pytest.raises(BundleError, match="nothing for onnx/fp16; it offers alien/fp32, missing/fp32, onnx/fp32"):
        select_artifact(manifest, backend="onnx", precision="fp16", table=TABLE)


def test_no_engine_at_all(manifest: Manifest) -> None:
    none_here = replace(manifest, artifacts=manifest.artifacts[:2])
    with pytest.raises(BackendError, match=r"alien is unknown to this tadsr; backend missing .*pip install missing"):
        select_artifact(none_here, table=TABLE)


def test_onnx_is_here() -> None:
    assert isinstance(BACKENDS["onnx"].probe(), Available)


def test_onnx_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert OnnxBackend().probe() == Unavailable("onnxruntime is not installed", "pip install onnxruntime")


def test_onnx_refuses_what_is_no_model(toy_bundle: Path) -> None:
    with pytest.raises(BackendError, match="cannot load the model"):
        OnnxBackend().load(b"not a model", None)


def test_onnx_refuses_other_names() -> None:
    from onnx import TensorProto, helper

    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BackendError, match="must map 'lr' to 'sr'"):
        OnnxBackend().load(model.SerializeToString(), None)


def test_onnx_runs_batches_and_reports_failures(toy_bundle: Path) -> None:
    session = OnnxBackend().load((toy_bundle / "toy.onnx").read_bytes(), threads=1)
    batch = np.random.default_rng(0).random((3, 3, 8, 12), np.float32)
    result = session.run(batch)
    assert result.shape == (3, 3, 32, 48)
    assert result.dtype == np.float32
    with pytest.raises(BackendError, match="onnxruntime failed"):
        session.run(np.zeros((1, 4, 8, 8), np.float32))
