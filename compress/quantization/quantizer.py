"""Which tensors of the folded program are int8: those of all convolutions but some, and what lies between them."""

from collections.abc import Collection

from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpecBase, Quantizer
from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec as Shared

from compress.quantization.layers import (
    CONCATENATE,
    PIXEL_SHUFFLE,
    RELU,
    is_convolution,
    is_depthwise,
    is_sum,
    layer_name,
)
from compress.quantization.spec import ACTIVATION, WEIGHT

_SAME_SCALE = (RELU, PIXEL_SHUFFLE, CONCATENATE)
"""What only moves, drops or joins numbers: its output has the scale of its inputs."""
KEY = "quantization_annotation"


class Int8Quantizer(Quantizer):
    """Annotates a program for PT2E.

    A sum, ReLU, shuffle or concatenation is int8 where an int8 convolution comes before it and another after it;
    otherwise it stays in float, which costs little and spares one rounding where the picture is nearly done.
    """

    def __init__(self, keep_float: Collection[str]) -> None:
        """``keep_float``: names of the convolutions and sums that stay in float."""
        super().__init__()
        self.keep_float = frozenset(keep_float)

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        """A ReLU behind a pixel shuffle goes before it, where the convolution absorbs it; that changes no number."""
        for relu in model.graph.find_nodes(op="call_function", target=RELU):
            (shuffle,) = relu.all_input_nodes
            if shuffle.target is not PIXEL_SHUFFLE or len(shuffle.users) > 1:
                continue
            (source,) = shuffle.all_input_nodes
            with model.graph.inserting_before(shuffle):
                first = model.graph.call_function(RELU, (source,))
            first.meta = {**source.meta}
            shuffle.replace_input_with(source, first)
            relu.replace_all_uses_with(shuffle)
            model.graph.erase_node(relu)
        model.recompile()
        return model

    def annotate(self, model: GraphModule) -> GraphModule:
        """Mark every int8 node of the graph with how its inputs and its output are quantised."""
        for node in model.graph.nodes:
            if self.is_int8(node):
                node.meta[KEY] = _annotation(node)  # in order: it reads those of the inputs
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing can be wrong with what ``annotate`` did."""

    def is_int8(self, node: Node) -> bool:
        """Whether a node of the graph computes in int8."""
        if not self._can_be_int8(node):
            return False
        if is_convolution(node):
            return True
        if _is_absorbed_relu(node):
            return self._can_be_int8(node.all_input_nodes[0])
        return self._leads_to_int8(node, before=True) and self._leads_to_int8(node, before=False)

    def _can_be_int8(self, node: Node) -> bool:
        if is_convolution(node) and is_depthwise(node):  # too little work to be worth a rounding
            return False
        named = is_convolution(node) or is_sum(node)
        return (named or node.target in _SAME_SCALE) and not (named and layer_name(node) in self.keep_float)

    def _leads_to_int8(self, node: Node, before: bool) -> bool:
        """Whether nothing but what can be int8 lies between the node and an int8 convolution on that side."""
        return any(
            self._can_be_int8(other) and (is_convolution(other) or self._leads_to_int8(other, before))
            for other in (node.all_input_nodes if before else node.users)
        )


def absorbed(node: Node) -> bool:
    """Whether a ReLU is all that reads a convolution: engines then compute both in one, and round once."""
    return is_convolution(node) and [user.target for user in node.users] == [RELU]


def _is_absorbed_relu(node: Node) -> bool:
    return node.target is RELU and absorbed(node.all_input_nodes[0])


def _annotation(node: Node) -> QuantizationAnnotation:
    if is_convolution(node):
        data, weight, *_ = node.all_input_nodes
        inputs = {data: _as_read(data), weight: WEIGHT}
        return QuantizationAnnotation(inputs, None if absorbed(node) else ACTIVATION, _annotated=True)
    first, *others = node.all_input_nodes
    if _is_absorbed_relu(node):
        return QuantizationAnnotation({}, ACTIVATION, _annotated=True)
    if is_sum(node):
        inputs = {source: _as_read(source) for source in (first, *others)}
        return QuantizationAnnotation(inputs, ACTIVATION, _annotated=True)
    one = Shared((first, node))
    return QuantizationAnnotation({first: _as_read(first), **dict.fromkeys(others, one)}, one, _annotated=True)


def _as_read(source: Node) -> QuantizationSpecBase:
    """How an int8 node reads a tensor: as it is where it is int8; a float one is rounded on the way, for int8 only."""
    return Shared(source) if KEY in source.meta else ACTIVATION
