"""The INT8 ONNX artifact: the program's own integers, all of them computed as integers, and faults that are caught."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.errors import ExportError
from export.onnx import int8, qdq_format, torch_onnx
from export.onnx.engines import in_onnxruntime, onnxruntime_session
from export.onnx.exporter import INT8
from export.onnx.int8 import integer_weights, run_in_float
from export.onnx.pixel_shuffle import PHASES
from export.protocol import render
from export.verification.layer_wise import compare_steps
from export.verification.onnx_reader import quantized_tensors
from export.verification.tiles import photo_like
from tadsr.program import QUANTIZE, Program, open_program
from tests.export.conftest import Export
from tests.export.onnx.changed import write_changed
from tests.export.programs import CARD, export_free, needs_int8, quantize, tiny_network

pytestmark = needs_int8
PICTURE = photo_like((1, 3, 24, 32))


@pytest.fixture(scope="module")
def program(exported: Export) -> Program:
    return exported(INT8).program


@pytest.fixture(scope="module")
def artifact(exported: Export) -> Path:
    return exported(INT8).path


@pytest.fixture
def changed(artifact: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the artifact in which one constant was replaced by ``change(constant)``."""

    return partial(write_changed, artifact, tmp_path / "changed.onnx")


def test_it_is_the_program(exported: Export) -> None:
    report = exported(INT8).report
    assert report.findings["largest_step"] <= 1
    assert report.findings["differing_steps"] < 0.02
    assert report.findings["psnr_of_same_steps"] >= 90


def test_every_quantised_convolution_runs_as_integers(artifact: Path) -> None:
    assert run_in_float(artifact) == []


def test_sums_run_as_integers_and_no_activation_is_int8(artifact: Path, tmp_path: Path) -> None:
    written = onnx.load(artifact).graph.node
    before = {name: node.op_type for node in written for name in node.output}
    rounded = {node.input[0] for node in written if node.op_type == "QuantizeLinear"}
    rounded |= {node.input[0] for node in written if node.op_type == "Relu" and node.output[0] in rounded}
    integer_sums = [name for name in rounded if before.get(name) == "Add"]
    onnxruntime_session(artifact.read_bytes(), optimized=tmp_path / "optimized.onnx")
    graph = onnx.load(tmp_path / "optimized.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QLinearAdd") == len(integer_sums) > 3
    assert "Relu" not in kinds
    constants = {tensor.name: numpy_helper.to_array(tensor).dtype for tensor in graph.initializer}
    zero_points = {"QuantizeLinear": (2,), "QLinearConv": (2, 7), "QLinearAdd": (2, 5, 7), "QLinearConcat": (1,)}
    found = {constants[node.input[i]] for node in graph.node for i in zero_points.get(node.op_type, ())}
    assert found == {np.dtype(np.uint8)}


def test_plain_rendering_would_run_in_float(converted: Callable[[str], onnx.ModelProto], tmp_path: Path) -> None:
    onnx.save(converted("student.int8"), tmp_path / "plain.onnx")
    assert run_in_float(tmp_path / "plain.onnx")


def test_float_weights_on_dequantised_data_and_equal_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution left in float stays so, and layers stay apart whose biases torch merges to one constant."""
    torch.export.save(export_free(quantize(tiny_network(bias=0), "decoder.1.conv2")), tmp_path / "student.int8.pt2")
    CARD.write(tmp_path)
    program = open_program(tmp_path / "student.int8.pt2")
    model = torch_onnx.convert(program.exported)
    monkeypatch.setattr(torch_onnx, "convert", lambda exported: onnx.ModelProto.FromString(model.SerializeToString()))
    assert render(INT8, program, tmp_path / "right.onnx").findings["largest_step"] <= 1
    monkeypatch.setattr(qdq_format, "_is_dequantised", lambda graph, tensor: False)
    INT8.export(program, tmp_path / "plain.onnx")
    with pytest.raises(ExportError, match="ONNX Runtime rounds float weights to INT8"):
        INT8.verify(tmp_path / "plain.onnx", program)


def test_scales_and_weights_are_the_programs_to_the_bit(program: Program, artifact: Path) -> None:
    model = onnx.load(artifact)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scales = {n.output[0]: constants[n.input[1]] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    theirs = {n.name: np.float32(n.args[1]) for n in program.exported.graph.nodes if str(n.target) == QUANTIZE}
    assert {name.removesuffix(PHASES): scale for name, scale in scales.items()} == theirs
    stored = [t.numpy() for t in program.exported.state_dict.values() if t.numpy().dtype == np.int8 and t.ndim == 4]
    assert filters(integer_weights(artifact).values()) == filters(stored)


def filters(weights: Iterable[np.ndarray]) -> list[list[bytes]]:
    """Every layer's, in an order that does not depend on that of its channels."""
    return sorted(sorted(one.tobytes() for one in weight) for weight in weights)


def test_zero_points_are_the_formats(artifact: Path) -> None:
    model = onnx.load(artifact)
    relus = {node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in relus:
            assert node.input[2] == "zero_point.nonnegative"
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert constants["zero_point.nonnegative"] == np.uint8(0)
    assert constants["zero_point.signed"] == np.uint8(128)


def test_headroom_is_listed(exported: Export, artifact: Path) -> None:
    model = onnx.load(artifact)
    relus = {node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    listed = {entry.key: entry.value.split() for entry in model.metadata_props}[int8.HEADROOM]
    behind_relus = [n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] in relus]
    assert set(behind_relus) <= set(listed) == set(int8.headroom(model))
    assert exported(INT8).report.findings["tensors_with_relu_headroom"] == len(listed)
    signed = [node.output[0] for node in model.graph.node if node.input[2:] == ["zero_point.signed"]]
    assert signed
    assert not {*signed} & {*listed}


def one_step(weight: np.ndarray) -> np.ndarray:
    weight.flat[0] += 1 if weight.flat[0] < 100 else -1
    return weight


@pytest.mark.parametrize(
    ("constant", "change", "told"),
    [
        ("conv1.weight", one_step, "weights or scales of 1 of"),
        ("conv1.weight.scale", lambda scale: np.nextafter(scale, np.float32(1)), "weights or scales of 1 of"),
        ("quantize_per_tensor_3.scale", lambda scale: np.nextafter(scale, np.float32(1)), "are not the program's"),
        ("zero_point.signed", lambda zero: zero - np.uint8(1), "zero points of .* are not the program's"),
        ("conv2.bias.steps", lambda bias: bias + 2000, "steps from the program's"),
    ],
)
def test_a_changed_number_is_found(
    program: Program, changed: Callable[..., Path], constant: str, change: Callable[[np.ndarray], np.ndarray], told: str
) -> None:
    with pytest.raises(ExportError, match=told):
        INT8.verify(changed(constant, change), program)


def test_the_comparison_is_of_every_tensor(program: Program, artifact: Path) -> None:
    steps, _ = quantized_tensors(artifact, PICTURE, in_onnxruntime)
    names = {node.name for node in program.exported.graph.nodes if str(node.target) == QUANTIZE}
    assert steps.keys() == names
    last = list(steps)[-1]
    steps[last] = steps[last] + np.int16(3)
    assert compare_steps(program, PICTURE, steps).largest >= 3


def test_it_is_a_valid_file_without_traces(artifact: Path) -> None:
    assert b".py" not in artifact.read_bytes()
    onnx.checker.check_model(onnx.load(artifact), full_check=True)
