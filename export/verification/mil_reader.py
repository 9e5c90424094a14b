"""What a Core ML package holds: its INT8 numbers, and those in float beside the program's."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
from torch.fx import Node

from export.coreml.package import Constant, Operation, Package
from export.errors import ExportError
from export.verification.contents import Contents, Layer, contents, layer
from tadsr.program import DEQUANTIZE_WEIGHT, QUANTIZE, Program, constants

KEPT_FROM_ZERO = 400
"""coremltools' pass ``add_fp16_cast`` lets no number of a smaller array become 0."""


def quantised_tensors(program: Program, package: Package) -> dict[str, str]:
    """The quantised tensors: their names in the package, and in the program; both have them in one order.

    Raises ``ExportError`` where one has more of them.
    """
    nodes = [node for node in program.exported.graph.nodes if str(node.target) == QUANTIZE]
    operations = package.of_kind("quantize")
    if len(nodes) != len(operations):
        raise ExportError(
            f"{package.path}: quantises {len(operations)} tensors, the program {len(nodes)}; nothing was kept"
        )
    return {operation.output.name: node.name for node, operation in zip(nodes, operations, strict=True)}


def read(package: Package, names: Mapping[str, str]) -> Contents:
    """The package's INT8 numbers; ``names`` says what its quantised tensors are called in the program."""
    return contents(_layers(package), _activations(package, names))


def require_floats(program: Program, package: Package) -> None:
    """Compare the weights and biases that stay in float with the program's, rounded to float16.

    Raises ``ExportError`` where a convolution has other ones.
    """
    nodes = [node for node in program.exported.graph.nodes if "conv2d" in str(node.target)]
    operations = package.of_kind("conv")
    if len(nodes) != len(operations):
        raise ExportError(
            f"{package.path}: has {len(operations)} convolutions, the program {len(nodes)}; nothing was kept"
        )
    values = constants(program)
    for node, operation in zip(nodes, operations, strict=True):
        theirs = [package.constant(operation, part) for part in ("weight", "bias")]
        if not all(map(_equal, theirs, _floats(values, node))):
            raise ExportError(
                f"{package.path}: {operation.output.name} has other numbers than the program's {node.name}; "
                "nothing was kept"
            )


def _layers(package: Package) -> Iterator[Layer]:
    producers = {operation.output.name: operation for operation in package.operations}
    readers: dict[str, list[Operation]] = defaultdict(list)
    for operation in package.operations:
        for name in (name for names in operation.inputs.values() for name in names):
            readers[name].append(operation)
    for convolution in package.of_kind("conv"):
        data, weight = (producers.get(convolution.inputs[name][0]) for name in ("x", "weight"))
        if data is None or weight is None or (data.kind, weight.kind) != ("dequantize", "constexpr_affine_dequantize"):
            continue
        after = readers[convolution.output.name]
        if [each.kind for each in after] == ["relu"]:
            after = readers[after[0].output.name]
        output = next((float(_number(package, each, "scale")) for each in after if each.kind == "quantize"), None)
        stored, scales, zeros = (_number(package, weight, part) for part in ("quantized_data", "scale", "zero_point"))
        yield layer(float(_number(package, data, "scale")), stored, scales, output, zeros)


def _activations(package: Package, names: Mapping[str, str]) -> Iterator[tuple[str, np.ndarray, int]]:
    for operation in package.operations:
        if operation.kind in ("quantize", "dequantize"):
            tensor = operation.output.name if operation.kind == "quantize" else operation.inputs["input"][0]
            stored = package.constant(operation, "zero_point")  # without, 0 is understood
            zero = 0 if stored is None else int(np.asarray(stored))
            yield names[tensor], _number(package, operation, "scale"), zero


def _number(package: Package, operation: Operation, argument: str) -> np.ndarray:
    value = package.constant(operation, argument)
    assert isinstance(value, np.ndarray)
    return value


def _floats(values: Mapping[str, np.ndarray], convolution: Node) -> list[np.ndarray | None]:
    """Weight and bias as Core ML keeps them; None where there is none in float."""
    weight, bias = (*cast(list[Node | None], convolution.args[1:3]), None)[:2]
    assert weight is not None
    return [
        None if str(weight.target) == DEQUANTIZE_WEIGHT else _half(values[weight.name]),
        None if bias is None else _half(values[bias.name]),
    ]


def _half(values: np.ndarray) -> np.ndarray:
    """Rounded to float16; what would become 0 in a small array, becomes the smallest number."""
    half = values.astype(np.float16)
    if values.size >= KEPT_FROM_ZERO:
        return half
    least = np.copysign(np.finfo(np.float16).smallest_subnormal, values)
    return np.where((half == 0) & (values != 0), least, half)


def _equal(theirs: Constant | None, ours: np.ndarray | None) -> bool:
    """Whether they are the same numbers, whatever type holds them, or both are missing."""
    if theirs is None or ours is None or isinstance(theirs, str):
        return theirs is ours
    return bool(np.array_equal(theirs.astype(np.float64), ours.astype(np.float64)))
