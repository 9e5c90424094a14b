"""What an INT8 program holds, and what an engine's file made of it holds: one form for all, compared bit by bit.

Files name layers and order channels as they like: so layers are compared as a collection, and each layer's output
channels too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.fx import Node

from export.errors import ExportError
from export.protocol import Findings
from tadsr.program import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE, Program, constants

CONVOLUTION = torch.ops.aten.conv2d.default
RELU = torch.ops.aten.relu.default
UNNAMED = "some tensors"


class Layer(NamedTuple):
    """One quantised convolution. Scales are float32, and all is held as bytes: equal means equal to the bit."""

    data: bytes
    """Scale of what it reads; empty where that is in float."""
    channels: tuple[bytes, ...]
    """Of every output channel the weights [I, kh, kw] in steps, zero point taken off, and their scale, sorted."""
    output: bytes
    """Scale of what it writes, behind its ReLU where it has one; empty where that stays in float."""


class Contents(NamedTuple):
    """The numbers of an INT8 program, or of a file in the program's terms."""

    layers: tuple[Layer, ...]
    """Every convolution whose data and weights are both quantised."""
    scales: Mapping[str, frozenset[bytes]]
    """Of every quantised activation, by the program's names, the float32 scales that it is quantised and read with."""
    zero_points: Mapping[str, frozenset[int]]
    """And the zero points; 0 where a format that shifts the integers has the zero that it should have."""

    def without_names(self) -> "Contents":
        """All activations taken together, to be compared with a file that does not name them."""
        scales = frozenset[bytes]().union(*self.scales.values())
        return Contents(self.layers, {UNNAMED: scales}, {UNNAMED: frozenset[int]().union(*self.zero_points.values())})


def layer(
    data: float | None,
    weight: NDArray[np.int8],
    scales: NDArray[Any],
    output: float | None,
    zero_points: ArrayLike = 0,
) -> Layer:
    """The layer of weights [O, I, kh, kw] with scales [O]; zero points are [O] or one; None is a tensor in float."""
    zeros = np.broadcast_to(np.asarray(zero_points, np.int16), len(weight))[:, None, None, None]
    rows = zip(weight.astype(np.int16) - zeros, scales.astype(np.float32), strict=True)
    return Layer(_bits(data), tuple(sorted(row.tobytes() + scale.tobytes() for row, scale in rows)), _bits(output))


def contents(layers: Iterable[Layer], activations: Iterable[tuple[str, ArrayLike, int]]) -> Contents:
    """Gather layers and, of every activation, each name, scale (of one value, maybe repeated) and zero point."""
    scales: dict[str, set[bytes]] = defaultdict(set)
    zero_points: dict[str, set[int]] = defaultdict(set)
    for name, scale, zero in activations:
        scales[name].update(one.tobytes() for one in np.unique(np.asarray(scale, np.float32)))
        zero_points[name].add(zero)
    return Contents(
        tuple(layers),
        {name: frozenset(found) for name, found in scales.items()},
        {name: frozenset(found) for name, found in zero_points.items()},
    )


def contents_of(program: Program) -> Contents:
    """What an INT8 program holds."""
    return contents(_layers(program), _activations(program))


def require_same(program: Contents, artifact: Contents, what: str) -> Findings:
    """Compare what a file holds with what its program holds, and tell how many layers are equal.

    Raises ``ExportError`` where a number differs, or a layer or tensor is missing or is not the program's.
    """
    names = sorted({*program.scales, *artifact.scales})
    if wrong := [name for name in names if _tensor(program, name) != _tensor(artifact, name)]:
        raise ExportError(
            f"{what}: scales or zero points of {', '.join(wrong[:3])} are not the program's; nothing was kept"
        )
    ours, theirs = Counter(program.layers), Counter(artifact.layers)
    if differing := (ours - theirs).total() + (theirs - ours).total():
        raise ExportError(
            f"{what}: weights or scales of {(differing + 1) // 2} of {ours.total()} INT8 convolutions are not the "
            "program's; nothing was kept"
        )
    return {"layers_equal_to_the_bit": ours.total()}


def _tensor(held: Contents, name: str) -> tuple[frozenset[bytes] | None, frozenset[int] | None]:
    return held.scales.get(name), held.zero_points.get(name)


def _layers(program: Program) -> Iterator[Layer]:
    values = constants(program)
    for node in program.exported.graph.find_nodes(op="call_function", target=CONVOLUTION):
        data, weight = node.all_input_nodes[:2]
        if str(data.target) == DEQUANTIZE and str(weight.target) == DEQUANTIZE_WEIGHT:
            stored, scales, zeros = (values[source.name] for source in weight.all_input_nodes[:3])
            yield layer(_scale(data), stored, scales, _output_scale(node), zeros)


def _activations(program: Program) -> Iterator[tuple[str, float, int]]:
    for node in program.exported.graph.nodes:
        if str(node.target) == QUANTIZE:
            for each in (node, *(user for user in node.users if str(user.target) == DEQUANTIZE)):
                yield node.name, _scale(each), int(each.args[2])


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
