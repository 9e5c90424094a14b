"""Pixel shuffles as reshapes and transpositions: the same numbers, in the places where torch puts them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.numpy_helper import from_array

from export.onnx import qdq_format
from export.onnx.engines import in_onnxruntime
from export.onnx.exporter import FP32, INT8
from export.onnx.pixel_shuffle import CHANNELS_LAST, PHASES, ROWS, Way, moved_together, unroll
from export.onnx.torch_onnx import OPSET
from export.verification.onnx_reader import quantized_tensors
from export.verification.tiles import photo_like
from tests.export.conftest import Export
from tests.export.programs import needs_int8

SIZES = st.integers(1, 5)
SCALE = np.float32(2**-5)
"""Of a step of every quantised activation."""
PICTURE = photo_like((2, 3, 12, 20))


@settings(max_examples=60)
@given(way=st.sampled_from([CHANNELS_LAST, ROWS]), n=SIZES, c=SIZES, r=st.integers(1, 4), h=SIZES, w=SIZES)
def test_both_ways_are_torchs_pixel_shuffle(way: Way, n: int, c: int, r: int, h: int, w: int) -> None:
    program_order = torch.arange(n * c * r * r * h * w).reshape(n, c * r * r, h, w)
    x = program_order.numpy()[:, moved_together(way, c, r)]
    for operator, numbers in way.steps(c, r):
        if operator == "Transpose":
            x = x.transpose(numbers)
        elif operator == "Squeeze":
            x = x.squeeze(tuple(numbers))
        else:
            x = x.reshape([x.shape[i] if number == 0 else number for i, number in enumerate(numbers)])
    np.testing.assert_array_equal(x, torch.nn.functional.pixel_shuffle(program_order, r).numpy())


def convolution(name: str, source: str, channels: tuple[int, int], integer: bool) -> tuple[list, list]:
    """Nodes and constants of a 1x1 convolution and a ReLU, both quantised where ``integer``."""
    rng = np.random.default_rng(len(name))
    inputs, outputs = channels
    weight = rng.integers(-90, 90, (outputs, inputs, 1, 1)).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    scale = (rng.random(outputs) / 500 + 1e-3).astype(np.float32)
    if not integer:
        floats = {
            f"{name}.w": weight * scale[:, None, None, None],
            f"{name}.b": (bias * scale * SCALE).astype(np.float32),
        }
        nodes = [
            helper.make_node("Conv", [source, f"{name}.w", f"{name}.b"], [f"{name}.conv"], group=1),
            helper.make_node("Relu", [f"{name}.conv"], [f"{name}.out"]),
        ]
        return nodes, [from_array(value, key) for key, value in floats.items()]
    constants: dict[str, np.ndarray] = {
        f"{name}.w": weight,
        f"{name}.ws": scale,
        f"{name}.b": bias,
        f"{name}.bs": scale * SCALE,
    }
    nodes = [
        helper.make_node("DequantizeLinear", [f"{name}.w", f"{name}.ws"], [f"{name}.wd"], axis=0),
        helper.make_node("DequantizeLinear", [f"{name}.b", f"{name}.bs"], [f"{name}.bd"], axis=0),
        helper.make_node("Conv", [source, f"{name}.wd", f"{name}.bd"], [f"{name}.conv"], group=1),
        helper.make_node("Relu", [f"{name}.conv"], [f"{name}.relu"]),
        *steps(f"{name}.relu", f"{name}.out"),
    ]
    return nodes, [from_array(value, key) for key, value in constants.items()]


def steps(source: str, target: str) -> list:
    """Quantise and dequantise."""
    return [
        helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"{target}.q"]),
        helper.make_node("DequantizeLinear", [f"{target}.q", "scale", "zero"], [target]),
    ]


def network(c: int, r: int, integer: bool, shared: bool = False, mode: str = "CRD") -> onnx.ModelProto:
    """x [N, 3, H, W] -> two shuffles with a convolution between; ``shared``: the first one's input is an output too."""
    nodes = steps("x", "rounded") if integer else [helper.make_node("Identity", ["x"], ["rounded"])]
    initializers = [from_array(np.array(SCALE), "scale"), from_array(np.array(0, np.uint8), "zero")]
    for name, source, channels in (("first", "rounded", (3, c * r * r)), ("last", "between", (c, 3 * r * r))):
        more, constants = convolution(name, source, channels, integer)
        nodes += more
        initializers += constants
        shuffled = "shuffled" if name == "first" else "y"
        nodes.append(helper.make_node("DepthToSpace", [f"{name}.out"], [shuffled], name, blocksize=r, mode=mode))
        if name == "first":
            nodes += steps("shuffled", "between") if integer else [helper.make_node("Relu", ["shuffled"], ["between"])]
    outputs = ["y", *(["first.out"] if shared else [])]
    graph = helper.make_graph(
        nodes,
        "shuffles",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 4) for name in outputs],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": x})[0])


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@settings(max_examples=25)
@given(c=SIZES, r=st.integers(1, 3), integer=st.booleans(), n=st.integers(1, 2), h=SIZES, w=SIZES, seed=SIZES)
def test_a_graph_gives_the_same_numbers(c: int, r: int, integer: bool, n: int, h: int, w: int, seed: int) -> None:
    x = np.random.default_rng(seed).random((n, 3, h, w), dtype=np.float32) * 8
    model = network(c, r, integer)
    before = run(model, x)
    unroll(model)
    onnx.checker.check_model(model, full_check=True)
    assert "DepthToSpace" not in operators(model)
    if integer:
        np.testing.assert_array_equal(run(model, x), before)
    else:  # where a channel lies may decide the last bit of its sums
        np.testing.assert_allclose(run(model, x), before, rtol=1e-5, atol=1e-6)


def test_only_the_outputs_of_the_convolutions_are_reordered() -> None:
    model = network(c=2, r=2, integer=True)
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    unroll(model)
    after = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for layer, channels in (("first", moved_together(CHANNELS_LAST, 2, 2)), ("last", moved_together(ROWS, 3, 2))):
        for part in ("w", "ws", "b", "bs"):
            moved = after.pop(f"{layer}.{part}{PHASES}")
            np.testing.assert_array_equal(moved, before.pop(f"{layer}.{part}")[channels])
    assert {name for name in after if not name.endswith((".reshape", ".squeeze"))} == before.keys()


@pytest.mark.parametrize("change", [{"shared": True}, {"mode": "DCR"}])
def test_what_others_read_and_other_shuffles_stay(change: dict) -> None:
    model = network(c=2, r=2, integer=False, **change)
    left = operators(model).count("DepthToSpace") - ("shared" in change)
    x = np.random.default_rng(0).random((1, 3, 4, 5), dtype=np.float32)
    before = run(model, x)
    unroll(model)
    assert operators(model).count("DepthToSpace") == left
    np.testing.assert_array_equal(run(model, x), before)


def test_grouped_convolutions_stay() -> None:
    model = network(c=3, r=1, integer=False)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "first.w")
    weight.CopyFrom(from_array(numpy_helper.to_array(weight)[:, :1], "first.w"))
    next(node for node in model.graph.node if node.op_type == "Conv").attribute[0].i = 3
    unroll(model)
    assert operators(model).count("DepthToSpace") == 1


Converted = Callable[[str], onnx.ModelProto]


def test_the_float_artifact_makes_the_same_picture(converted: Converted, exported: Export) -> None:
    new, plain = onnx.load(exported(FP32).path), converted("student")
    assert "DepthToSpace" not in operators(new)
    assert "DepthToSpace" in operators(plain)
    pictures = [in_onnxruntime(model.SerializeToString())(["sr"], PICTURE)[0] for model in (new, plain)]
    np.testing.assert_allclose(*pictures, atol=1e-6)


@needs_int8
def test_the_integers_of_the_int8_artifact_are_the_same(converted: Converted, exported: Export, tmp_path: Path) -> None:
    model = converted("student.int8")
    qdq_format.render(model, qdq_format.ONNX_RUNTIME)
    assert "DepthToSpace" in operators(model)
    onnx.save(model, tmp_path / "plain.onnx")
    new, plain = (
        quantized_tensors(path, PICTURE, in_onnxruntime)[0] for path in (exported(INT8).path, tmp_path / "plain.onnx")
    )
    assert new.keys() == plain.keys()
    for name, value in new.items():
        np.testing.assert_array_equal(value, plain[name], err_msg=name)
