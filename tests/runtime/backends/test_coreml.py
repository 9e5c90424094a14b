"""Core ML: the package is unpacked once and asked for pictures. A stand-in plays coremltools, but for one test."""

import io
import sys
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from runtime.backends import BACKENDS, Available, Session, Unavailable, open_session
from runtime.bundle import Artifact, Bundle, read_bundle
from runtime.cache import VARIABLE
from runtime.errors import BackendError, BundleError
from tests.conftest import write_bundle_of
from tests.export.programs import TILE, needs_coremltools
from tests.runtime.backends.concurrency import Concurrency

STATE = BACKENDS["coreml"].probe()


class FakeModel:
    """Plays `coremltools.models.MLModel` 9.0: pixels four times as large each way, in RGBA as Core ML gives them."""

    opened: ClassVar[list[Path]] = []
    counts: ClassVar[Concurrency] = Concurrency()
    refusal: ClassVar[str | None] = None

    def __init__(self, model: str) -> None:
        assert (Path(model) / "Manifest.json").is_file()
        self.opened.append(Path(model))
        if self.refusal:
            warnings.warn(f"You will not be able to run predict(). {self.refusal}", RuntimeWarning, stacklevel=2)

    def get_compiled_model_path(self) -> str:
        return "somewhere"

    def predict(self, data: list[dict[str, Image.Image]]) -> list[dict[str, Image.Image]]:
        answers = []
        for given in data:
            picture = given["lr"]
            assert picture.mode == "RGB"
            if picture.size != (TILE, TILE):
                raise RuntimeError("Image size 8 x 8 not in allowed set of image sizes\n")
            answers.append({"sr": picture.resize((4 * TILE, 4 * TILE), Image.Resampling.NEAREST).convert("RGBA")})
        return self.counts.during(answers)


def zipped(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()


PACKAGE = {"toy.mlpackage/Manifest.json": b"{}", "toy.mlpackage/Data/com.apple.CoreML/model.mlmodel": b"model"}


def bundle_of(folder: Path, package: bytes) -> Bundle:
    artifact = Artifact("toy-fp16.mlpackage.zip", "coreml", "fp16", TILE)
    return read_bundle(write_bundle_of(folder / "toy.tadsr", {artifact: package}, tiles=[TILE]))


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """macOS 14 with coremltools, and an empty cache."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.mac_ver", lambda: ("14.5", ("", "", ""), "arm64"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "coremltools", SimpleNamespace(models=SimpleNamespace(MLModel=FakeModel)))
    monkeypatch.setattr(FakeModel, "opened", [])
    monkeypatch.setattr(FakeModel, "counts", Concurrency())
    return monkeypatch


@pytest.fixture
def session(mac: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    return open_session(bundle_of(tmp_path, zipped(PACKAGE)), "coreml").session


def test_the_package_is_unpacked_once(mac: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, zipped(PACKAGE))
    for _ in range(2):
        open_session(bundle, "coreml")
    (folder,) = set(FakeModel.opened)
    assert folder.parent == tmp_path / "cache"
    assert folder.name == f"toy.{bundle.manifest.artifacts[0].sha256[:16]}.mlpackage"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"Manifest.json", "Data/com.apple.CoreML/model.mlmodel"}


def test_batches_of_pictures(session: Session) -> None:
    assert session.max_batch is None
    levels = np.random.default_rng(0).integers(0, 256, (3, 3, TILE, TILE)).astype(np.float32)
    result = session.run(levels / 255)
    assert (result.shape, result.dtype) == ((3, 3, 4 * TILE, 4 * TILE), np.float32)
    np.testing.assert_allclose(result * 255, levels.repeat(4, axis=2).repeat(4, axis=3), atol=1e-4)


def test_threads_wait_for_their_turn(session: Session) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(session.run, [np.zeros((1, 3, TILE, TILE), np.float32)] * 8))
    assert FakeModel.counts.largest == 1


def test_failures_are_one_line(session: Session, mac: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"^coreml failed: Image size .* sizes; is the tile of the model's size\?$"):
        session.run(np.zeros((1, 3, 8, 8), np.float32))
    bundle = read_bundle(tmp_path / "toy.tadsr")
    mac.setattr(FakeModel, "refusal", "Unable to parse ML Program: at unknown location")
    with pytest.raises(BackendError, match=r"coreml cannot load the model: .*Unable to parse ML Program"):
        open_session(bundle, "coreml")

    def too_old(model: Any) -> str:
        raise Exception("This model was not loaded or compiled with the Core ML Framework.")

    mac.setattr(FakeModel, "refusal", None)
    mac.setattr(FakeModel, "get_compiled_model_path", too_old)
    with pytest.raises(BackendError, match=r"was not loaded .*; INT8 wants macOS 14; try precision fp16"):
        open_session(bundle, "coreml")


def test_a_hostile_package_is_refused(mac: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, zipped({**PACKAGE, "toy.mlpackage/../../evil": b""}))
    with pytest.raises(BundleError, match=r"toy-fp16.mlpackage.zip: unsafe entry"):
        open_session(bundle, "coreml")
    assert not list((tmp_path / "cache").iterdir())
    assert FakeModel.opened == []


@pytest.mark.parametrize(
    ("system", "release", "here"),
    [("darwin", "14.5", True), ("darwin", "13.0", True), ("darwin", "12.7", False), ("linux", "", False)],
)
def test_probing(mac: pytest.MonkeyPatch, system: str, release: str, here: bool) -> None:
    mac.setattr("sys.platform", system)
    mac.setattr("platform.mac_ver", lambda: (release, ("", "", ""), ""))
    state = BACKENDS["coreml"].probe()
    assert isinstance(state, Available) == here
    assert here or state == Unavailable(
        "Core ML runs these files on macOS 13 and newer only", 'pip install "tadsr[coreml]"'
    )


@needs_coremltools
def test_an_exported_package_arrives_whole(mac: pytest.MonkeyPatch, programs: Path, tmp_path: Path) -> None:
    """As `export.bundle` zips it and this backend unpacks it, coremltools reads what was exported."""
    mac.undo()
    mac.setenv(VARIABLE, str(tmp_path / "cache"))
    from export.bundle import _one_file
    from export.coreml import exporter as coreml
    from export.coreml.package import read_package
    from runtime.archives import unpack
    from tadsr.program import open_program

    path = tmp_path / "tiny.mlpackage"
    coreml.FP16.export(open_program(programs / f"student.{TILE}.pt2"), path)
    unpack(_one_file(path).read_bytes(), tmp_path / "out.mlpackage", "tiny")
    ours, theirs = (read_package(each) for each in (tmp_path / "out.mlpackage", path))
    assert ours.specification == theirs.specification
    assert all(np.array_equal(ours.constants[name], theirs.constants[name]) for name in theirs.constants)


@pytest.mark.slow
@pytest.mark.skipif(isinstance(STATE, Unavailable), reason=getattr(STATE, "reason", ""))
def test_a_real_package_agrees_with_onnx_runtime(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.bundle import bundle as export
    from export.coreml import exporter as coreml
    from export.onnx import exporter as onnx
    from train.evaluation.metrics import psnr

    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    bundle = export([programs / "student.pt2"], tmp_path / "tiny.tadsr", (onnx.FP32, coreml.FP16), [TILE])
    tile = np.random.default_rng(0).integers(0, 256, (1, 3, TILE, TILE)).astype(np.float32) / 255
    ours, theirs = (open_session(bundle, name).session.run(tile)[0].transpose(1, 2, 0) for name in ("coreml", "onnx"))
    assert psnr(ours, theirs) >= 45  # pictures of 8 bits
