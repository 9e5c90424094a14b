import json
import shutil
from pathlib import Path

import pytest

import runtime

from .commands import Tadsr


def test_json_is_the_manifest(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("info", toy_bundle, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"path": str(toy_bundle), **json.loads((toy_bundle / "manifest.json").read_text())}


def test_tables(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {
        "accuracy": [{"file": "toy.onnx", "worst_psnr": 23.456789, "largest_step": 3, "other": 77.7}],
        "advice": [{"file": "toy.onnx", "against": "slow.onnx", "recommended": True, "speedup": 2.531}],
        "provenance": {"[bold]": "the tests", "training": {"steps": 7, "widths": [1, 2], "nested": {"deep": 1}}},
    }
    (folder / "manifest.json").write_text(json.dumps({**manifest, **found}))
    done = tadsr("info", folder)
    assert (done.code, done.err) == (0, "")
    (row,) = (line.split() for line in done.out.splitlines() if line.split()[:1] == ["toy.onnx"])
    assert row[1:4] + row[5:] == ["onnx", "fp32", "any", "23.46", "3", "2.531"]
    for text in ("Apache-2.0", "[bold]", "the tests", "steps 7"):
        assert text in done.out
    for text in ("77.7", "widths", "deep"):
        assert text not in done.out


def test_the_shipped_bundle_in_a_hundred_columns(tadsr: Tadsr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    done = tadsr("info")
    assert (done.code, done.err) == (0, "")
    manifest = runtime.read_bundle(runtime.DEFAULT_BUNDLE).manifest
    for artifact in manifest.artifacts:
        (row,) = (line.split() for line in done.out.splitlines() if line.split()[:1] == [artifact.file])
        assert row[1:3] == [artifact.backend, artifact.precision]
        assert len(row) == 8
    assert max(map(len, done.out.splitlines())) <= 100


def test_damage_is_told(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    (folder / "toy.onnx").write_bytes(b"changed")
    done = tadsr("info", folder)
    assert (done.code, done.out) == (2, "")
    assert "toy.onnx is damaged or was changed" in done.err


def test_the_shipped_bundle(tadsr: Tadsr) -> None:
    done = tadsr("info", "--json")
    assert (done.code, done.err) == (0, "")
    assert sum(artifact["size"] for artifact in json.loads(done.out)["artifacts"]) <= 30 * 2**20
