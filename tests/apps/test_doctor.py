import json
import shutil
from pathlib import Path

import pytest

import runtime
from runtime.backends import BACKENDS

from .commands import Tadsr


def test_json(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("doctor", toy_bundle, "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["bundle"] == str(toy_bundle)
    assert report["auto"]["file"] == "toy.onnx"
    assert [row["name"] for row in report["backends"]] == list(BACKENDS)
    rows = {row["name"]: row for row in report["backends"]}
    assert rows["onnx"]["available"]
    assert (rows["onnx"]["precision"], rows["onnx"]["problem"], rows["onnx"]["takes_threads"]) == ("fp32", None, True)
    for row in rows.values():
        assert row["available"] or (row["problem"] and row["remedy"])
        assert row["available"] == (row["precision"] is not None)


def test_auto_is_what_upscaling_takes(tadsr: Tadsr) -> None:
    auto = json.loads(tadsr("doctor", "--json").out)["auto"]
    with runtime.load() as upscaler:
        assert auto == {
            "backend": upscaler.backend,
            "file": upscaler.artifact.file,
            "precision": upscaler.artifact.precision,
        }


def test_tables(tadsr: Tadsr, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = tadsr("doctor", toy_bundle)
    assert (done.code, done.err) == (0, "")
    for name in BACKENDS:
        assert name in done.out
    assert "onnx-directml: " in done.out
    assert "\n    pip uninstall -y onnxruntime && pip install onnxruntime-directml\n" in done.out  # to be copied


def test_no_engine_at_all(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"backend": "onnx"', '"backend": "alien"'))
    assert "no engine is here" in tadsr("doctor", folder).out
    assert json.loads(tadsr("doctor", folder, "--json").out)["auto"] is None


def test_bad_input(tadsr: Tadsr, tmp_path: Path) -> None:
    done = tadsr("doctor", tmp_path / "none.tadsr")
    assert (done.code, done.err) == (2, f"error: {tmp_path / 'none.tadsr'}: no such bundle; check the name\n")
