"""An ONNX graph to be rewritten: its constants, and who makes and who reads a tensor, by name."""

from collections import Counter
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[Any]


class Graph:
    """A model's graph, changed in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        del self.graph.value_info[:]  # types of tensors that are about to change
        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.initializer
        }
        self.producers = {name: node for node in self.graph.node for name in node.output}
        self.readers = Counter(name for node in self.graph.node for name in node.input)
        self.readers.update(output.name for output in self.graph.output)

    def add(self, name: str, value: Array) -> str:
        """A constant of that name, made once."""
        if name not in self.constants:
            self.constants[name] = value
            self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def add_new(self, name: str, value: Array) -> str:
        """A constant of that name, or of a similar one where the name is taken.

        torch merges equal constants, so that two layers' biases of 0 have one name; in steps they are not equal.
        """
        taken = sum(known == name or known.startswith(f"{name}~") for known in self.constants)
        return self.add(f"{name}~{taken}" if taken else name, value)

    def replace_nodes(self, nodes: list[onnx.NodeProto]) -> None:
        """Make these the graph's nodes, and remove the constants that none of them reads."""
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
