"""The choice of an engine and a file: as asked, by the table's order, and by what was measured."""

import platform
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

import runtime
from runtime.backends import BACKENDS, Backend, Unavailable, choose, open_session, statuses
from runtime.bundle import Artifact, read_bundle
from runtime.errors import BackendError, BackendWarning, BundleError, OutOfMemoryError
from runtime.manifest import Manifest
from tests.conftest import write_toy_bundle
from tests.runtime.fake_backend import FakeBackend


def table(*backends: FakeBackend) -> dict[str, Backend]:
    return {backend.name: backend for backend in backends}


TABLE = table(FakeBackend("missing", reads="missing", here=False), FakeBackend("onnx"))


@pytest.fixture
def manifest(toy_bundle: Path) -> Manifest:
    files = [("a", "missing", "fp32"), ("b", "alien", "fp32"), ("c", "onnx", "int8"), ("d", "onnx", "fp32")]
    return replace(read_bundle(toy_bundle).manifest, artifacts=[Artifact(*entry) for entry in files])


def chosen(manifest: Manifest, backend: str = "auto", precision: str = "auto", **rows: object) -> str:
    known = rows.get("table", TABLE)
    assert isinstance(known, dict)
    return str(choose(manifest, backend, precision, known)[0])


def test_auto_takes_the_first_engine_that_is_here_and_its_first_file(manifest: Manifest) -> None:
    assert chosen(manifest) == "c on onnx"
    assert chosen(manifest, precision="fp32") == "d on onnx"
    assert chosen(manifest, "onnx", "fp32") == "d on onnx"
    assert chosen(manifest, table=table(FakeBackend("fast"), FakeBackend("onnx"))) == "c on fast"
    assert chosen(manifest, "onnx", table=table(FakeBackend("fast"), FakeBackend("onnx"))) == "c on onnx"


def test_auto_leaves_what_wants_to_be_asked_for(manifest: Manifest) -> None:
    shy = FakeBackend("shy", automatic=False)
    assert chosen(manifest, table=table(shy, FakeBackend("onnx"))) == "c on onnx"
    assert chosen(manifest, "shy", table=table(shy, FakeBackend("onnx"))) == "c on shy"
    assert chosen(manifest, table=table(shy)) == "c on shy"  # there is no other


def test_a_named_backend_is_never_replaced(manifest: Manifest) -> None:
    with pytest.raises(
        BackendError, match=r"missing cannot be used: it is not installed; install it with: pip install"
    ):
        choose(manifest, "missing", table=TABLE)
    with pytest.raises(BackendError, match="backend=tensorflow: unknown; choose one of auto, missing, onnx"):
        choose(manifest, "tensorflow", table=TABLE)
    with pytest.raises(BundleError, match=r"for onnx/fp16; it offers alien/fp32, missing/fp32, .* is made by: make it"):
        choose(manifest, "onnx", "fp16", table=TABLE)
    with pytest.raises(BundleError, match=r"nothing for auto/fp16; it offers .*, onnx/int8$"):
        choose(manifest, precision="fp16", table=TABLE)


def test_no_engine_at_all(manifest: Manifest) -> None:
    none_here = replace(manifest, artifacts=manifest.artifacts[:2])
    with pytest.raises(BackendError, match=r"alien is unknown to this tadsr; backend missing .*: pip install it"):
        choose(none_here, table=TABLE)


HERE = {"file": "c", "against": "d", "recommended": True, "speedup": 2.1, "machine": platform.machine(), "threads": 2}


@pytest.mark.parametrize(
    ("advice", "first"),
    [
        ([], "d"),
        ([HERE], "c"),
        ([{**HERE, "machine": HERE["machine"].upper()}], "c"),
        ([{**HERE, "machine": "another"}], "d"),
        ([{**HERE, "recommended": False, "speedup": 0.9}], "d"),
        ([{**HERE, "file": "e", "speedup": 3}, HERE], "e"),
        ([{}, {"file": 3}, {**HERE, "speedup": None}, {**HERE, "recommended": "yes"}], "d"),
    ],
)
def test_precision_is_chosen_by_what_was_measured_on_such_a_machine(
    manifest: Manifest, advice: list[dict[str, object]], first: str
) -> None:
    files = [("d", "onnx", "fp32"), ("c", "onnx", "int8"), ("e", "onnx", "fp16")]
    manifest = replace(manifest, artifacts=[Artifact(*entry) for entry in files], advice=advice)
    assert choose(manifest, table=TABLE)[0].artifact.file == first
    assert choose(manifest, precision="fp32", table=TABLE)[0].artifact.file == "d"


def test_what_was_measured_on_a_processor_says_nothing_of_a_gpu(manifest: Manifest) -> None:
    files = [("d", "onnx", "fp32"), ("c", "onnx", "int8")]
    manifest = replace(manifest, artifacts=[Artifact(*entry) for entry in files], advice=[HERE])
    assert chosen(manifest, table=table(FakeBackend("gpu", device="a GPU"))) == "d on gpu"


@pytest.mark.parametrize(("name", "kind"), [("AMD64", "x86_64"), ("arm64", "aarch64"), ("x86_64", "amd64")])
def test_processors_have_several_names(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: name)
    manifest = replace(
        manifest, artifacts=list(reversed(manifest.artifacts)), advice=[{**HERE, "file": "c", "machine": kind}]
    )
    assert chosen(manifest) == "c on onnx"


def test_of_several_tiles_the_middle_one(manifest: Manifest) -> None:
    files = [Artifact(str(tile), "onnx", "fp32", tile) for tile in (32, 64, 128)]
    manifest = replace(manifest, artifacts=files, tiles=[32, 64, 128])
    assert [choice.artifact.tile for choice in choose(manifest, table=TABLE)] == [64, 32, 128]


def test_auto_goes_on_where_an_engine_does_not_load_and_says_so(toy_bundle: Path) -> None:
    bundle = read_bundle(toy_bundle)
    first, second = FakeBackend("first", broken="no driver"), FakeBackend("second")
    with pytest.warns(BackendWarning) as warned:
        opened = open_session(bundle, table=table(first, second))
    assert opened.choice.backend.name == "second"
    assert [str(warning.message) for warning in warned] == [
        "toy.onnx on first cannot be used: no driver; taking toy.onnx on second"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BackendError, match="no driver"):
            open_session(bundle, "first", table=table(first, second))
        with pytest.raises(BackendError, match="no driver"):
            open_session(bundle, table=table(first))


def test_a_damaged_file_is_no_reason_to_take_another_engine(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "toy.tadsr")
    (folder / "toy.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match="damaged"):
        open_session(read_bundle(folder), table=table(FakeBackend("onnx"), FakeBackend("other")))


def test_statuses(manifest: Manifest) -> None:
    rows = statuses(manifest, {**TABLE, "idle": FakeBackend("idle", reads="idle", takes_threads=False)})
    assert list(rows) == ["missing", "onnx", "idle"]
    assert (rows["onnx"].available, rows["onnx"].version, rows["onnx"].precision, rows["onnx"].file) == (
        True,
        "1.2",
        "int8",
        "c",
    )
    assert (rows["missing"].problem, rows["missing"].remedy) == ("it is not installed", "pip install it")
    assert (rows["idle"].problem, rows["idle"].remedy) == ("toy has nothing for it", "make it")
    assert [row.available for row in rows.values()] == [False, True, False]
    assert (rows["idle"].version, rows["idle"].takes_threads, rows["idle"].precision) == ("1.2", False, None)


def test_every_engine_has_a_row(toy_bundle: Path) -> None:
    rows = runtime.backends(toy_bundle)
    assert list(rows) == list(BACKENDS)  # whose order the documents have, too
    assert rows["onnx"].available
    assert all(row.remedy and row.problem for row in rows.values() if not row.available)
    assert runtime.backends()["onnx"].precision is not None


@pytest.mark.parametrize("name", BACKENDS)
def test_without_any_package_every_engine_says_what_brings_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    state = BACKENDS[name].probe()
    assert isinstance(state, Unavailable)
    assert "pip install" in state.install
    assert "\n" not in state.reason


def test_out_of_memory_is_a_backend_error() -> None:
    assert issubclass(OutOfMemoryError, BackendError)


def test_the_documents_have_the_same_table() -> None:
    page = (Path(__file__).parents[3] / "docs" / "backends.md").read_text(encoding="utf-8")
    table = page.partition("<!-- engines -->")[2].partition("<!-- end of engines -->")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in table.strip().splitlines()[2:]]
    assert [row[0] for row in rows] == [f"| `{name}`" for name in BACKENDS]
    for row, backend in zip(rows, BACKENDS.values(), strict=True):
        assert row[3].startswith("yes" if backend.takes_threads else "no")
        assert f"`{backend.install}` |" in row[5]
