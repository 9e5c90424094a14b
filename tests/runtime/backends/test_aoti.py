"""AOTInductor: only what was built here of the bundle's own programs, and nothing out of a bundle."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import runtime
from runtime.backends import aoti, choose, open_session
from runtime.bundle import Artifact, Bundle, read_bundle
from runtime.cache import VARIABLE
from runtime.errors import BackendError, BundleError, OutOfMemoryError
from tests.conftest import needs_compiler, write_bundle_of
from tests.runtime.backends.concurrency import Concurrency

PROGRAM = {"file": "student.pt2", "precision": "fp32", "tile": None, "sha256": "a" * 64}
INT8 = {**PROGRAM, "precision": "int8", "sha256": "b" * 64}
TILED = {**PROGRAM, "tile": 32, "sha256": "c" * 64}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bundle(tmp_path: Path, toy_bundle: Path) -> Bundle:
    return bundle_of(tmp_path, toy_bundle, [PROGRAM, INT8, TILED])


def bundle_of(folder: Path, toy_bundle: Path, programs: object) -> Bundle:
    files = {Artifact("toy.onnx", "onnx", "fp32"): (toy_bundle / "toy.onnx").read_bytes()}
    return read_bundle(write_bundle_of(folder / "made.tadsr", files, provenance={"programs": programs}))


def build(sha256: str, precision: str = "fp32") -> Path:
    """As if `export.aoti` had built it here."""
    path = aoti.package_path("toy", precision, sha256)
    path.write_bytes(b"package")
    return path


def stand_in(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Concurrency:
    """Plays torch's loader of packages: one that repeats pixels, or fails."""
    counts = Concurrency()

    def package(lr: torch.Tensor) -> torch.Tensor:
        assert not torch.backends.cudnn.allow_tf32
        if error:
            raise error
        return counts.during(lr.repeat_interleave(4, 2).repeat_interleave(4, 3))

    monkeypatch.setattr("torch._inductor.aoti_load_package", lambda path: package)
    return counts


def test_nothing_was_built(bundle: Bundle, cache: Path) -> None:
    with pytest.raises(BundleError, match=r"nothing for aoti/auto; .* is made by: python -m export.aoti PROGRAM.pt2"):
        choose(bundle.manifest, "aoti")
    status = runtime.backends(bundle.path)["aoti"]
    assert (status.problem, status.remedy) == ("toy has nothing for it", "python -m export.aoti PROGRAM.pt2")
    assert not cache.exists()  # asking leaves nothing behind


def test_what_was_built_of_the_bundles_programs_is_offered(bundle: Bundle) -> None:
    build(TILED["sha256"])
    assert [(each.artifact.precision, each.artifact.tile) for each in choose(bundle.manifest, "aoti")] == [("fp32", 32)]
    build(PROGRAM["sha256"], "fp16")
    build(INT8["sha256"])  # AOTInductor takes none
    build("d" * 64)  # of another network
    found = {(each.artifact.precision, each.artifact.tile) for each in choose(bundle.manifest, "aoti")}
    assert found == {("fp32", 32), ("fp16", None)}


def test_auto_takes_it_on_a_gpu_only(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    build(PROGRAM["sha256"])
    monkeypatch.setattr(aoti, "_has_gpu", lambda: False)
    assert choose(bundle.manifest)[0].backend.name == "onnx"
    monkeypatch.setattr(aoti, "_has_gpu", lambda: True)
    assert choose(bundle.manifest)[0].backend.name == "aoti"


def test_it_runs_what_was_built(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = stand_in(monkeypatch)
    build(PROGRAM["sha256"])
    threads = torch.get_num_threads()
    try:
        session = open_session(bundle, "aoti", threads=threads + 1).session
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    tiles = [np.full((2, 3, 8, 8), value, np.float32) for value in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for tile, result in zip(tiles, pool.map(session.run, tiles), strict=True):
            np.testing.assert_array_equal(result, tile.repeat(4, axis=2).repeat(4, axis=3))
    assert counts.largest == 1
    assert torch.backends.cudnn.allow_tf32  # as it was


@pytest.mark.parametrize("change", ["torch", "device"])
def test_a_package_of_another_machine_is_not_loaded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    stand_in(monkeypatch)
    build(PROGRAM["sha256"])
    changes = {"torch": (torch, "__version__", "2.99"), "device": (aoti, "device_name", lambda: "NVIDIA H100 (9, 0)")}
    monkeypatch.setattr(*changes[change])
    with pytest.raises(BackendError, match=r"built for another torch or another device .*; build it anew: python -m"):
        open_session(bundle, "aoti")


def test_failures(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(PROGRAM["sha256"])
    with pytest.raises(BackendError, match=f"aoti cannot load {path}: .*; delete it and build it anew"):
        open_session(bundle, "aoti")
    stand_in(monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    with pytest.raises(OutOfMemoryError, match="aoti failed: CUDA out of memory"):
        open_session(bundle, "aoti").session.run(np.zeros((1, 3, 8, 8), np.float32))


@pytest.mark.parametrize(
    "programs",
    [
        None,
        "student.pt2",
        [None, 3, {}],
        [{**PROGRAM, "sha256": "../../*"}],
        [{**PROGRAM, "sha256": None}],
        [{**PROGRAM, "tile": "32"}],
    ],
)
def test_provenance_is_anybodys_text(tmp_path: Path, toy_bundle: Path, programs: object) -> None:
    build(PROGRAM["sha256"])
    with pytest.raises(BundleError, match="nothing for aoti"):
        choose(bundle_of(tmp_path, toy_bundle, programs).manifest, "aoti")


def test_native_code_of_a_bundle_is_never_loaded(tmp_path: Path) -> None:
    files = {Artifact("toy.aoti", "aoti", "fp32"): b"native"}  # a name that gives it away is refused when it is read
    bundle = read_bundle(write_bundle_of(tmp_path / "native.tadsr", files))
    with pytest.raises(BundleError, match="nothing for aoti"):
        open_session(bundle, "aoti")


@needs_compiler
@pytest.mark.slow
def test_what_the_exporter_builds_agrees_with_onnx_runtime(programs: Path, tmp_path: Path) -> None:
    from export.aoti import FP32
    from export.bundle import bundle as export
    from export.local import build as build_here
    from export.onnx import exporter as onnx
    from tadsr.program import open_program

    bundle = export([programs / "student.pt2"], tmp_path / "tiny.tadsr", (onnx.FP32,))
    build_here(FP32, open_program(programs / "student.pt2"))
    batch = np.random.default_rng(0).random((2, 3, 32, 48), np.float32)
    ours, theirs = (open_session(bundle, name).session for name in ("aoti", "onnx"))
    np.testing.assert_allclose(ours.run(batch), theirs.run(batch), atol=1e-5)
