"""The numbers of an INT8 program's convolutions, in a form in which an artifact's can be held against them, bit by bit.

Files name layers and order channels as they like: so layers are compared as a collection, and each layer's output
channels too.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Node

from export.errors import ExportError
from tadsr.program import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE, Program, constants

CONVOLUTION = torch.ops.aten.conv2d.default
RELU = torch.ops.aten.relu.default


class Layer(NamedTuple):
    """One quantised convolution. Scales are float32, and all is held as bytes: equal means equal to the bit."""

    data: bytes
    """Scale of what it reads; empty where that is in float."""
    channels: tuple[bytes, ...]
    """Of every output channel the int8 weights [I, kh, kw] and their scale, sorted."""
    output: bytes
    """Scale of what it writes, behind its ReLU where it has one; empty where that stays in float."""


def layer(data: float | None, weight: NDArray[np.int8], scales: NDArray[np.float32], output: float | None) -> Layer:
    """The layer of weights [O, I, kh, kw] with the scales [O]; None stands for a tensor in float."""
    rows = (row.tobytes() + np.float32(scale).tobytes() for row, scale in zip(weight, scales, strict=True))
    return Layer(_bits(data), tuple(sorted(rows)), _bits(output))


def layers_of(program: Program) -> list[Layer]:
    """Every convolution of an INT8 program whose data and weights are both quantised."""
    values = constants(program)
    found = []
    for node in program.exported.graph.find_nodes(op="call_function", target=CONVOLUTION):
        data, weight = node.all_input_nodes[:2]
        if str(data.target) == DEQUANTIZE and str(weight.target) == DEQUANTIZE_WEIGHT:
            stored, scales = (values[source.name] for source in weight.all_input_nodes[:2])
            found.append(layer(_scale(data), stored, scales, _output_scale(node)))
    return found


def scales_of(program: Program) -> dict[str, bytes]:
    """The float32 scale of every quantised activation, by name."""
    return {
        node.name: np.float32(_scale(node)).tobytes()
        for node in program.exported.graph.nodes
        if str(node.target) == QUANTIZE
    }


def require_layers(program: Program, written: Iterable[Layer], what: str) -> int:
    """How many layers a file has, all of them the program's. Raises ``ExportError`` where one is not, or is missing."""
    theirs, ours = Counter(written), Counter(layers_of(program))
    if differing := (ours - theirs).total() + (theirs - ours).total():
        raise ExportError(
            f"{what}: weights or scales of {(differing + 1) // 2} of {ours.total()} INT8 convolutions are not the "
            "program's; nothing was kept"
        )
    return ours.total()


def _bits(scale: float | None) -> bytes:
    return b"" if scale is None else np.float32(scale).tobytes()


def _scale(node: Node) -> float:
    scale = node.args[1]
    assert isinstance(scale, float)
    return scale


def _output_scale(node: Node) -> float | None:
    users = list(node.users)
    if [user.target for user in users] == [RELU]:
        users = list(users[0].users)
    return next((_scale(user) for user in users if str(user.target) == QUANTIZE), None)
