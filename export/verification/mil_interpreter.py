"""Computes a saved ML program: in float32, and again with every tensor rounded to float16, as a phone would hold it.

What it cannot know is in which order and precision a device adds up the products of a convolution: here in float32.
"""

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from export.coreml.package import Constant, Operation, Package
from export.errors import ExportError
from export.verification.mil_operators import compute

LARGEST = float(np.finfo(np.float16).max)


def run(
    package: Package, inputs: Mapping[str, np.ndarray], *, fp16: bool, keep: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The program's outputs, and the tensors named in ``keep``, by name; ``inputs`` as its function takes them.

    Raises ``ExportError`` for an operation that is not known, a tensor of another shape than the file declares, and,
    with ``fp16``, for a value that float16 cannot hold.
    """
    values = {name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in inputs.items()}
    wanted = {*package.outputs, *keep}
    last = {name: i for i, operation in enumerate(package.operations) for name in _names(operation)}
    kept = {}
    with torch.no_grad():
        for i, operation in enumerate(package.operations):
            value = _check_shape(package, operation, _compute(package, operation, values))
            name = operation.output.name
            values[name] = _round(package, operation, value) if fp16 and value.is_floating_point() else value
            if name in wanted:
                kept[name] = values[name].numpy()
            for done in [each for each in values if last.get(each, i) <= i]:  # large tiles fill the memory else
                del values[done]
    return kept


def _names(operation: Operation) -> Iterator[str]:
    return (name for names in operation.inputs.values() for name in names)


def _compute(package: Package, operation: Operation, values: Mapping[str, Tensor]) -> Tensor:
    arguments = {}
    for argument, names in operation.inputs.items():
        given = [values[name] if name in values else _constant(package.constants[name]) for name in names]
        arguments[argument] = given if argument == "values" else given[0]
    try:
        return compute(operation.kind, arguments)
    except NotImplementedError as error:
        raise ExportError(
            f"{package.path}: {error} is not an operation that can be checked here ({operation.output.name}); "
            "add it to export/verification/mil_operators.py with its test, or keep it out of the network"
        ) from error


def _constant(constant: Constant) -> Tensor | Constant:
    """Floats and INT8 as tensors of float32 and INT8; what else there is are settings of operations."""
    if isinstance(constant, str) or constant.dtype.name not in ("float16", "float32", "int8", "uint8"):
        return constant
    return torch.from_numpy(constant.astype(np.float32) if constant.dtype.kind == "f" else constant.copy())


def _check_shape(package: Package, operation: Operation, value: Tensor) -> Tensor:
    if tuple(value.shape) != operation.output.shape:
        raise ExportError(
            f"{package.path}: {operation.kind} {operation.output.name} is {tuple(value.shape)}, the file declares "
            f"{operation.output.shape}; nothing was kept"
        )
    return value


def _round(package: Package, operation: Operation, value: Tensor) -> Tensor:
    """To float16 and back."""
    rounded = value.half().float()
    if not math.isfinite(float(rounded.sum())):  # one pass: float16 values are too few to overflow a float32 sum
        raise ExportError(
            f"{package.path}: {operation.kind} {operation.output.name} overflows float16 (its largest value is "
            f"{float(value.abs().max()):.4g}, float16 ends at {LARGEST:g}); nothing was kept"
        )
    return rounded
