"""Fixtures for every folder of tests."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from runtime.bundle import Artifact, Manifest, write_bundle

settings.register_profile("untimed", deadline=None)  # a first call loads libraries, and a machine may be busy
settings.load_profile("untimed")

if "PYTEST_XDIST_WORKER" in os.environ:  # a core for each worker: threads of all of them would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one of them would keep a single worker busy while all others wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "cl"))), reason="needs a C++ compiler, which AOTInductor calls"
)

TOY_ALIGN = 4
TOY_RADIUS = 7  # a 3x3 convolution on 4x4 cells: an edge pixel sees the whole neighbouring cell and the rest of its own


def write_toy_onnx(path: Path, *, tile: int | None = None, gain: float = 0.1) -> Path:
    """A tiny x4 network: nearest enlargement plus `gain` times a strided, zero-padded, random convolution, clipped.

    It has what the real one has: input `lr`, output `sr`, height and width in multiples of a stride, a known receptive
    radius. A `gain` of NaN gives NaN pictures.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(0, 0.2, (8, 48, 3, 3)),
        "w2": rng.normal(0, 0.2, (768, 8, 1, 1)),
        "gain": np.array(gain),
        "scales": np.array([1, 1, 4, 4]),
        "zero": np.array(0),
        "one": np.array(1),
    }
    nodes = [
        helper.make_node("SpaceToDepth", ["lr"], ["cells"], blocksize=TOY_ALIGN),
        helper.make_node("Conv", ["cells", "w1"], ["hidden"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Conv", ["active", "w2"], ["wide"]),
        helper.make_node("DepthToSpace", ["wide"], ["fine"], blocksize=4 * TOY_ALIGN, mode="CRD"),
        helper.make_node("Mul", ["fine", "gain"], ["detail"]),
        helper.make_node(
            "Resize",
            ["lr", "", "scales"],
            ["base"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Add", ["base", "detail"], ["sum"]),
        helper.make_node("Clip", ["sum", "zero", "one"], ["sr"]),
    ]
    height, width = (tile or "height"), (tile or "width")
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("lr", TensorProto.FLOAT, ["batch", 3, height, width])],
        [helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["batch", 3, None, None])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def write_toy_bundle(folder: Path, *, tile: int | None = None, gain: float = 0.1) -> Path:
    """A bundle `folder` (a name ending in .tadsr) around `write_toy_onnx`."""
    model = write_toy_onnx(folder.with_suffix(".onnx"), tile=tile, gain=gain)
    return write_bundle_of(folder, {Artifact("toy.onnx", "onnx", "fp32", tile): model.read_bytes()})


def write_bundle_of(folder: Path, files: Mapping[Artifact, bytes], **changes: Any) -> Path:
    """A bundle `folder` of files with these bytes; `changes` are of its manifest."""
    paths = {artifact.file: folder.with_name(f"{folder.stem}-{artifact.file}") for artifact in files}
    for artifact, data in files.items():
        paths[artifact.file].write_bytes(data)
    manifest = Manifest(
        name="toy",
        scale=4,
        align=TOY_ALIGN,
        receptive_radius=TOY_RADIUS,
        effective_radius=2,
        tiles=[32, 64],
        artifacts=list(files),
        accuracy=[],
        licence="Apache-2.0",
        provenance={"made by": "the tests"},
    )
    return write_bundle(folder, replace(manifest, **changes), paths).path


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the programs of a tiny network: read it, do not change it."""
    from tests.export.programs import tiny_network, write_programs

    return write_programs(tmp_path_factory.mktemp("programs"), tiny_network(bias=0.05))


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with free height and width: read it, do not change it."""
    return write_toy_bundle(tmp_path_factory.mktemp("toy") / "toy.tadsr")
