"""The convolutions and sums of an exported program, by the names that they had in the network."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean

CONVOLUTION = torch.ops.aten.conv2d.default
ADD = torch.ops.aten.add.Tensor
RELU = torch.ops.aten.relu.default
PIXEL_SHUFFLE = torch.ops.aten.pixel_shuffle.default
CONCATENATE = torch.ops.aten.cat.default


@dataclass(frozen=True)
class Layer:
    """One convolution, or one sum of two tensors."""

    name: str
    """Where it stood in the network: "student.middle.0.conv1", "student.middle.0.sum"."""
    macs: float
    """Its multiply-accumulates as a fraction of the whole program's; 0 for a sum."""
    in_float: bool
    """Whether it always stays so: a convolution that reads the picture itself or writes the result, with no other on
    that side, or whose weights are constants, and do not learn to live with roundings."""


def is_convolution(node: Node) -> bool:
    """Whether a node of an exported program convolves."""
    return node.op == "call_function" and node.target is CONVOLUTION


def is_depthwise(convolution: Node) -> bool:
    """Whether the channels of a convolution are convolved apart from each other."""
    groups = convolution.args[6] if len(convolution.args) == 7 else 1
    return isinstance(groups, int) and groups != 1


def is_sum(node: Node) -> bool:
    """Whether a node of an exported program adds two tensors."""
    return node.op == "call_function" and node.target is ADD and len(node.all_input_nodes) == 2


def layer_name(node: Node) -> str:
    """The name of a convolution is that of its weight; that of a sum, of the module that adds."""
    if is_sum(node):
        path = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
        return f"{path[-1]}.sum" if path and path[-1] else node.name
    weight = node.args[1]
    while isinstance(weight, Node) and weight.op != "get_attr":  # behind a fake quantisation
        weight = weight.args[0]
    assert isinstance(weight, Node)
    return str(weight.target).removesuffix(".weight")


def layers(graph: GraphModule, tile: Tensor) -> list[Layer]:
    """All convolutions and sums in the order in which they are computed; ``tile`` [N, 3, h, w] is any picture."""
    counter = _Counter(graph)
    counter.run(tile)
    total = sum(counter.macs.values())
    return [
        Layer(layer_name(node), counter.macs.get(node, 0) / total, _stays_in_float(graph, node))
        for node in graph.graph.nodes
        if is_convolution(node) or is_sum(node)
    ]


def check_names(names: Collection[str], known: Collection[str], option: str) -> None:
    """Raise ``TrainError``, whose text begins with the option, for the first name that is not known."""
    for name in names:
        if name not in known:
            raise TrainError(
                f"{option} {name}: the program has no such convolution or sum{did_you_mean(name, known)} "
                f"there are {', '.join(known)}"
            )


def is_learnt(graph: GraphModule, convolution: Node) -> bool:
    """Whether the weights of a convolution are parameters of the graph, not constants."""
    weight = convolution.args[1]
    assert isinstance(weight, Node)
    return weight.target in {name for name, _ in graph.named_parameters()}


def _stays_in_float(graph: GraphModule, node: Node) -> bool:
    return is_convolution(node) and (_outermost(node) or not is_learnt(graph, node))


def _outermost(convolution: Node) -> bool:
    return "placeholder" in _reached(convolution, before=True) or "output" in _reached(convolution, before=False)


def _reached(convolution: Node, before: bool) -> Iterator[str]:
    """The kinds of node that lie before or behind a convolution with no other convolution in between."""
    todo = [convolution]
    while todo:
        node = todo.pop()
        for other in node.all_input_nodes if before else node.users:
            if other.op != "get_attr" and not is_convolution(other):
                yield other.op
                todo.append(other)


class _Counter(Interpreter):
    """Runs a graph, and counts the multiply-accumulates of its convolutions."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self.macs: dict[Node, int] = {}

    def run_node(self, n: Node) -> object:
        result = super().run_node(n)
        if is_convolution(n):
            assert isinstance(result, Tensor)
            kernel = self.env[n.all_input_nodes[1]]
            self.macs[n] = result.numel() * kernel[0].numel()
        return result
