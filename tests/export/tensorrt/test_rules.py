"""TensorRT's rules: a good model keeps them all, and one that breaks one of them is told which, and where."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from export.errors import ExportError
from export.onnx.graph import Graph
from export.tensorrt import rules
from export.tensorrt.exporter import INT8
from export.tensorrt.rules import ROUND, RULES, UNROUND
from tests.export.conftest import Export
from tests.export.programs import needs_int8

Break = Callable[[onnx.ModelProto], str]
"""Breaks one rule somewhere, and gives the name of what breaks it."""


@pytest.fixture(scope="module")
def good(exported: Export) -> onnx.ModelProto:
    return onnx.load(exported(INT8).path)


def first(model: onnx.ModelProto, operator: str, weight: bool = False) -> onnx.NodeProto:
    """The first node of that operator that reads data, or the first that reads a constant."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return next(
        node for node in model.graph.node if node.op_type == operator and (node.input[0] in constants) == weight
    )


def quantised(model: onnx.ModelProto, operator: str = "Conv") -> onnx.NodeProto:
    """The first node of that operator that reads integers."""
    graph = Graph(model)
    return next(
        node
        for node in model.graph.node
        if node.op_type == operator and graph.producers[node.input[0]].op_type == UNROUND
    )


def add(model: onnx.ModelProto, value: np.ndarray) -> str:
    model.graph.initializer.append(numpy_helper.from_array(value, "new"))
    return "new"


def asymmetric(model: onnx.ModelProto) -> str:
    node = first(model, ROUND)
    node.input[2] = add(model, np.array(3, np.int8))
    return node.output[0]


def unsigned(model: onnx.ModelProto) -> str:
    node = first(model, ROUND)
    node.input[2] = add(model, np.array(0, np.uint8))
    return node.output[0]


def unsigned_by_default(model: onnx.ModelProto) -> str:
    node = first(model, ROUND)
    del node.input[2:]
    return node.output[0]


def computed_scale(model: onnx.ModelProto) -> str:
    node = first(model, ROUND)
    model.graph.node.insert(0, helper.make_node("Abs", [node.input[1]], ["computed"]))
    node = first(model, ROUND)
    node.input[1] = "computed"
    return node.output[0]


def scale_of(value: np.ndarray) -> Break:
    def change(model: onnx.ModelProto) -> str:
        node = first(model, ROUND)
        node.input[1] = add(model, value)
        return node.output[0]

    return change


def other_axis(model: onnx.ModelProto) -> str:
    node = first(model, UNROUND, weight=True)
    node.attribute[0].i = 1
    return node.output[0]


def scale_of_all_channels(model: onnx.ModelProto) -> str:
    node = first(model, UNROUND, weight=True)
    node.input[1] = add(model, np.array(0.5, np.float32))
    return node.output[0]


def integer_bias(model: onnx.ModelProto) -> str:
    node = quantised(model)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[2])
    steps = add(model, np.zeros(bias.dims, np.int32))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(bias.dims, np.float32), "new.scale"))
    node.input[2] = "dequantized"
    name = str(node.output[0])
    model.graph.node.insert(0, helper.make_node(UNROUND, [steps, "new.scale"], ["dequantized"], axis=0))
    return name


def float_data(model: onnx.ModelProto) -> str:
    node = quantised(model)
    graph = Graph(model)
    node.input[0] = graph.producers[graph.producers[node.input[0]].input[0]].input[0]
    return node.output[0]


def float_weight(model: onnx.ModelProto) -> str:
    node = quantised(model)
    graph = Graph(model)
    integers = graph.constants[graph.producers[node.input[1]].input[0]]
    node.input[1] = add(model, integers.astype(np.float32))
    return node.output[0]


def other_scale_back(model: onnx.ModelProto) -> str:
    node = first(model, UNROUND)
    node.input[1] = add(model, np.array(0.5, np.float32))
    return node.output[0]


def integers_into_a_relu(model: onnx.ModelProto) -> str:
    source = str(first(model, ROUND).output[0])
    model.graph.node.append(helper.make_node("Relu", [source], ["relued"]))
    return "relued"


def float_summand(model: onnx.ModelProto) -> str:
    graph = Graph(model)
    node = next(
        graph.producers[rounding.input[0]]
        for rounding in model.graph.node
        if rounding.op_type == ROUND and graph.producers[rounding.input[0]].op_type == "Add"
    )
    name = str(node.output[0])
    first_summand = str(node.input[0])
    node.input[0] = "in_float"
    at = list(model.graph.node).index(node)
    model.graph.node.insert(at, helper.make_node("Abs", [first_summand], ["in_float"]))
    return name


def integer_operator(model: onnx.ModelProto) -> str:
    node = quantised(model)
    node.op_type = "QLinearConv"
    return node.output[0]


BROKEN: list[tuple[str, Break]] = [
    ("zero points must be 0", asymmetric),
    ("integers must be int8", unsigned),
    ("integers must be int8", unsigned_by_default),
    ("scales and zero points must be constants", computed_scale),
    ("scales must be positive", scale_of(np.array(0, np.float32))),
    ("scales must be positive", scale_of(np.array(np.inf, np.float32))),
    ("scales must be float32", scale_of(np.array(0.5, np.float16))),
    ("data must have one scale per tensor", scale_of(np.full(8, 0.5, np.float32))),
    ("weights must have a scale per output channel, along axis 0", other_axis),
    ("weights must have a scale per output channel, along axis 0", scale_of_all_channels),
    ("biases must be constants in float", integer_bias),
    ("a convolution of quantised weights must have quantised data", float_data),
    ("integers must be dequantised by the scale that quantised them", other_scale_back),
    ("integers must be dequantised by the scale that quantised them", integers_into_a_relu),
    ("a quantised sum must not have a summand in float", float_summand),
    ("integer operators are not read", integer_operator),
]


@needs_int8
def test_a_good_model_breaks_none(good: onnx.ModelProto) -> None:
    rules.require(good, "good.onnx")


@needs_int8
def test_float_weights_on_dequantised_data_are_a_convolution_in_float(good: onnx.ModelProto) -> None:
    model = onnx.ModelProto.FromString(good.SerializeToString())
    float_weight(model)
    rules.require(model, "good.onnx")


@needs_int8
@pytest.mark.parametrize(("rule", "break_it"), BROKEN)
def test_each_rule_is_kept(good: onnx.ModelProto, rule: str, break_it: Break) -> None:
    model = onnx.ModelProto.FromString(good.SerializeToString())
    name = break_it(model)
    assert name in list(RULES[rule](Graph(model)))
    with pytest.raises(ExportError, match="TensorRT would refuse"):
        rules.require(model, "bad.onnx")


@needs_int8
def test_the_user_is_told_which_and_where(good: onnx.ModelProto) -> None:
    model = onnx.ModelProto.FromString(good.SerializeToString())
    name = asymmetric(model)
    with pytest.raises(ExportError, match=rf"bad\.onnx: TensorRT would refuse {name}: zero points must be 0"):
        rules.require(model, "bad.onnx")


def test_no_rule_is_without_a_test() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)
