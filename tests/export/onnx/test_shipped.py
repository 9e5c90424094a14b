"""The INT8 file of the bundle that comes with tadsr: all integers, and exact on CPUs without VNNI too."""

from pathlib import Path

import pytest

import runtime
from export.onnx.int8 import integer_weights, run_in_float, worst_pair
from tadsr.saturation import LARGEST_PAIR


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = runtime.read_bundle(runtime.DEFAULT_BUNDLE)
    found = [a for a in bundle.manifest.artifacts if (a.backend, a.precision) == ("onnx", "int8")]
    if not found:
        pytest.skip("the bundle carries no INT8 file")
    path = tmp_path_factory.mktemp("shipped") / found[0].file
    path.write_bytes(bundle.open(found[0]))
    return path


def test_every_quantised_convolution_runs_as_integers(artifact: Path) -> None:
    assert run_in_float(artifact) == []


def test_no_sum_of_two_products_can_saturate(artifact: Path) -> None:
    worst = {name: worst_pair(weight) for name, weight in integer_weights(artifact).items()}
    assert {name: pair for name, pair in worst.items() if pair > LARGEST_PAIR} == {}
