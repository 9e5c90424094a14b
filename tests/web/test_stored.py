"""What the app stores of the shipped bundle was made of it, by `python -m apps.web_app.stored`."""

import json
from pathlib import Path

import numpy as np
import pytest

import runtime
from apps.web_app.stored import STORED, store
from runtime.bundle import read_bundle
from runtime.tiles.halo import HALOS

REMAKE = "run python -m apps.web_app.stored, then build the app again"


def test_it_is_of_the_shipped_bundle() -> None:
    facts = json.loads((STORED / "stored.json").read_text())
    onnx = [each for each in read_bundle(runtime.DEFAULT_BUNDLE).manifest.artifacts if each.backend == "onnx"]
    assert facts["models"] == {each.file: each.sha256 for each in onnx}, REMAKE
    manifest = read_bundle(runtime.DEFAULT_BUNDLE).manifest
    assert facts["radii"] == {each.precision: HALOS["fast"](manifest, each) for each in onnx}, REMAKE


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_tile_is_what_python_makes(precision: str) -> None:
    facts = json.loads((STORED / "stored.json").read_text())
    tile = np.frombuffer((STORED / "input.bin").read_bytes(), np.uint8).reshape(facts["height"], facts["width"], 3)
    (file,) = [name for name in facts["models"] if precision in name]
    expected = np.frombuffer((STORED / f"{file}.bin").read_bytes(), np.uint8)
    result = runtime.upscale(tile, backend="onnx", precision=precision).ravel()
    assert np.abs(result.astype(int) - expected).mean() < 0.2, REMAKE


def test_any_bundle_can_be_stored(toy_bundle: Path, tmp_path: Path) -> None:
    store(toy_bundle, tmp_path / "stored")
    facts = json.loads((tmp_path / "stored" / "stored.json").read_text())
    assert [*facts["models"]] == ["toy.onnx"]
    size = (tmp_path / "stored" / "input.bin").stat().st_size
    assert size == 3 * facts["height"] * facts["width"]
    assert (tmp_path / "stored" / "toy.onnx.bin").stat().st_size == 16 * size
