"""Whether a package holds the program's own numbers: every scale, zero point and weight, to the bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from torch.fx import Node

from export.coreml.package import Operation, Package
from export.errors import ExportError
from tadsr.program import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE, Program, constants

KEPT_FROM_ZERO = 400
"""coremltools' pass ``add_fp16_cast`` lets no number of a smaller array become 0."""


@dataclass(frozen=True)
class Quantised:
    """A quantised tensor in both."""

    node: str
    """Its name in the program."""
    name: str
    """Its name in the package."""


def check_activations(program: Program, package: Package) -> list[Quantised]:
    """The quantised tensors, in order. Raises ``ExportError`` where one's scale or zero point is not the program's."""
    nodes = [node for node in program.exported.graph.nodes if str(node.target) == QUANTIZE]
    operations = package.of_kind("quantize")
    if len(nodes) != len(operations):
        raise ExportError(
            f"{package.path}: quantises {len(operations)} tensors, the program {len(nodes)}; nothing was kept"
        )
    for node, operation in zip(nodes, operations, strict=True):
        _same(package, operation, node)
    by_output = {operation.output.name: node for node, operation in zip(nodes, operations, strict=True)}
    for operation in package.of_kind("dequantize"):
        quantised = by_output[operation.inputs["input"][0]]
        for node in quantised.users:
            if str(node.target) == DEQUANTIZE:
                _same(package, operation, node)
    return [Quantised(node.name, operation.output.name) for node, operation in zip(nodes, operations, strict=True)]


def _same(package: Package, operation: Operation, node: Node) -> None:
    scale, zero = cast(tuple[float, int], node.args[1:3])
    given = package.constant(operation, "zero_point")
    theirs = (package.constant(operation, "scale"), np.int8(0) if given is None else given)
    if not (_equal(theirs[0], np.float64(scale)) and _equal(theirs[1], np.int8(zero))):
        raise ExportError(
            f"{package.path}: {operation.output.name} has scale {theirs[0]} and zero point {theirs[1]}, the program's "
            f"{node.name} {scale} and {zero}; nothing was kept"
        )


def check_weights(program: Program, package: Package) -> None:
    """Raises ``ExportError`` where a convolution has other weights, scales, zero points or biases than the program.

    Integers and scales to the bit; what stays in float is the program's, rounded to float16.
    """
    nodes = [node for node in program.exported.graph.nodes if "conv2d" in str(node.target)]
    operations = package.of_kind("conv")
    if len(nodes) != len(operations):
        raise ExportError(
            f"{package.path}: has {len(operations)} convolutions, the program {len(nodes)}; nothing was kept"
        )
    values = constants(program)
    compressed = {operation.output.name: operation for operation in package.of_kind("constexpr_affine_dequantize")}
    for node, operation in zip(nodes, operations, strict=True):
        weight = operation.inputs["weight"][0]
        theirs = [
            *([package.constants[weight]] if weight not in compressed else _parts(package, compressed[weight])),
            *([package.constant(operation, "bias")] if "bias" in operation.inputs else []),
        ]
        ours = list(_numbers(values, node))
        if len(ours) != len(theirs) or not all(map(_equal, theirs, ours)):
            raise ExportError(
                f"{package.path}: {operation.output.name} has other numbers than the program's {node.name}; "
                "nothing was kept"
            )


def _parts(package: Package, weight: Operation) -> list[object]:
    return [package.constant(weight, part) for part in ("quantized_data", "scale", "zero_point")]


def _numbers(values: Mapping[str, np.ndarray], convolution: Node) -> Iterator[np.ndarray]:
    """Weight and bias, float as Core ML keeps it; of a quantised weight its integers, scales and zero points."""
    weight, *bias = cast(list[Node], convolution.args[1:3])
    if str(weight.target) == DEQUANTIZE_WEIGHT:
        yield from (values[cast(Node, part).name] for part in weight.args[:3])
    else:
        yield _half(values[weight.name])
    yield from (_half(values[each.name]) for each in bias if each is not None)


def _half(values: np.ndarray) -> np.ndarray:
    """Rounded to float16; what would become 0 in a small array, becomes the smallest number."""
    half = values.astype(np.float16)
    if values.size >= KEPT_FROM_ZERO:
        return half
    least = np.copysign(np.finfo(np.float16).smallest_subnormal, values)
    return np.where((half == 0) & (values != 0), least, half)


def _equal(theirs: object, ours: np.ndarray | np.generic) -> bool:
    """Whether they are one number, whatever type holds it: a scale that float16 cannot hold is another number there."""
    if not isinstance(theirs, np.ndarray | np.generic):
        return False
    return bool(np.array_equal(theirs.astype(np.float64), ours.astype(np.float64)))
