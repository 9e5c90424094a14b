"""What the XNNPACK graphs inside a ``.pte`` hold, read from its bytes: ExecuTorch has a writer for them, but no reader.

The numbers below are places in the tables and unions of ``executorch/backends/xnnpack/serialization/
runtime_schema.fbs`` (1.5.1), counted from 0, a union taking two; of unions' types, from 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from export.verification.contents import UNNAMED, Contents, Layer, contents, layer

XNODES, XVALUES, CONSTANT_DATA = 1, 2, 8  # of XNNGraph
TYPE, CONTENT = 0, 1  # of XNode and XValue
QUANTIZED = 2  # of XValueUnion
CONV2D = 7  # of XNodeUnion
INPUT, FILTER, OUTPUT = 15, 16, 18  # of _XNNNodeConv
TENSOR, KIND, PARAMETERS = 0, 1, 2  # of XNNQuantizedTensorValue
PER_TENSOR = 2  # of XNNQuantParams
SCALE, ZERO_POINT = 0, 1  # of PerTensorQuant
SCALE_BUFFER = 2  # of PerChannelQuant
DIMS, BUFFER, ID = 2, 3, 6  # of XNNTensorValue
NAMED_KEY = 2  # of ConstantDataOffset


def read(path: Path) -> Contents:
    """The numbers of all XNNPACK graphs of a file together; it does not name its activations."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    file = deserialize_pte_binary(path.read_bytes())
    assert file.named_data is not None
    named = {key: file.named_data.buffers[entry.buffer_index] for key, entry in file.named_data.pte_data.items()}
    graphs = [_Graph(bytes(part.data), named) for part in file.program.backend_delegate_data]
    return contents(
        [found for graph in graphs for found in graph.layers()],
        [(UNNAMED, scale, zero) for graph in graphs for scale, zero in graph.activations()],
    )


class _Table:
    """One flatbuffer table."""

    def __init__(self, data: bytes, position: int) -> None:
        from flatbuffers.table import Table

        self.table = Table(data, position)

    def number(self, slot: int, kind: str = "Uint32") -> Any:
        """The scalar there; one that is 0 may not be written."""
        from flatbuffers import number_types

        return self.table.GetSlot(4 + 2 * slot, 0, getattr(number_types, f"{kind}Flags"))

    def inner(self, slot: int) -> "_Table":
        """The table there, or the union's member."""
        return _Table(self.table.Bytes, self.table.Indirect(self.table.Pos + self.table.Offset(4 + 2 * slot)))

    def tables(self, slot: int) -> "list[_Table]":
        """Those of the vector there."""
        start, length = self._vector(slot)
        return [_Table(self.table.Bytes, self.table.Indirect(start + 4 * i)) for i in range(length)]

    def numbers(self, slot: int) -> list[int]:
        """Those of the vector there."""
        start, length = self._vector(slot)
        return [int(number) for number in np.frombuffer(self.table.Bytes, "<u4", length, start)]

    def text(self, slot: int) -> str:
        found: bytes = self.table.String(self.table.Pos + self.table.Offset(4 + 2 * slot))
        return found.decode()

    def _vector(self, slot: int) -> tuple[int, int]:
        offset = self.table.Offset(4 + 2 * slot)
        return (self.table.Vector(offset), self.table.VectorLen(offset)) if offset else (0, 0)


class _Graph:
    """One XNNPACK graph; ``named`` holds the file's constants."""

    def __init__(self, data: bytes, named: Mapping[str, bytes]) -> None:
        from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader

        header = XNNHeader.from_bytes(data[: XNNHeader.EXPECTED_LENGTH])
        graph = data[header.flatbuffer_offset :][: header.flatbuffer_size]
        self.root = _Table(graph, int.from_bytes(graph[:4], "little"))
        self.named = named
        self.constants = self.root.tables(CONSTANT_DATA)
        quantized = [
            value.inner(CONTENT) for value in self.root.tables(XVALUES) if value.number(TYPE, "Uint8") == QUANTIZED
        ]
        self.values = {value.inner(TENSOR).number(ID): value for value in quantized}

    def activations(self) -> list[tuple[float, int]]:
        """Scale and zero point of everything that has one of each; int32 biases of float scale have not."""
        parameters = [
            value.inner(PARAMETERS) for value in self.values.values() if value.number(KIND, "Uint8") == PER_TENSOR
        ]
        return [(each.number(SCALE, "Float32"), each.number(ZERO_POINT, "Int32")) for each in parameters]

    def layers(self) -> list[Layer]:
        """The convolutions of INT8 weights, which XNNPACK has as [O, kh, kw, I]."""
        nodes = [node.inner(CONTENT) for node in self.root.tables(XNODES) if node.number(TYPE, "Uint8") == CONV2D]
        return [self._layer(node) for node in nodes if node.number(FILTER) in self.values]

    def _layer(self, node: _Table) -> Layer:
        weight = self.values[node.number(FILTER)]
        scales = self._constant(weight.inner(PARAMETERS).number(SCALE_BUFFER), np.float32)
        stored = self._constant(weight.inner(TENSOR).number(BUFFER), np.int8)
        stored = stored.reshape(weight.inner(TENSOR).numbers(DIMS)).transpose(0, 3, 1, 2)
        data, output = (self._scale(node.number(slot)) for slot in (INPUT, OUTPUT))
        return layer(data, stored, scales, output)

    def _scale(self, name: int) -> float | None:
        value = self.values.get(name)
        return None if value is None else float(value.inner(PARAMETERS).number(SCALE, "Float32"))

    def _constant(self, index: int, dtype: DTypeLike) -> NDArray[Any]:
        return np.frombuffer(self.named[self.constants[index].text(NAMED_KEY)], dtype)
