"""Which operations a package has, in which precision, and which of them are known to leave the neural engine.

Core ML alone decides where an operation runs, and only the device shows it (Xcode's performance report,
``MLComputePlan``). Apple publishes no list. The rules are those of ``hollance/neural-engine``
(docs/unsupported-layers.md), what ``MLComputePlan`` told of roboflow/rf-detr (pull request 1495), and Apple's
"Deploying Transformers on the Apple Neural Engine" (2022): float16 and INT8, on tensors of four dimensions.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export.coreml.package import Operation, Package

BORDER = ("cast",)
"""Between the float32 of the function's own input and output and float16: done where pixels are converted anyway."""
UNKNOWN_TO_IT = ("custom_layer", "gather", "gather_along_axis", "gather_nd", "gru", "lstm", "rnn", "topk")
COMPUTED_BEFOREHAND = ("constexpr_affine_dequantize",)
LARGEST_RANK = 4


@dataclass(frozen=True)
class Row:
    """All operations of one kind and precision."""

    kind: str
    dtype: str
    """Of the output, as the file calls it."""
    count: int
    leaves: str | None
    """Why they are known to leave the neural engine; None where nothing is known against them."""


def _is_dilated(package: Package, operation: Operation) -> bool:
    dilations = package.constant(operation, "dilations")
    return isinstance(dilations, np.ndarray) and bool(np.any(dilations != 1))


RULES: tuple[tuple[str, Callable[[Package, Operation], bool]], ...] = (
    ("computes in float32", lambda _, o: o.output.dtype == "FLOAT32" and o.kind not in BORDER),
    ("unknown to the neural engine", lambda _, o: o.kind in UNKNOWN_TO_IT),
    ("dilated", _is_dilated),
    (f"more than {LARGEST_RANK} dimensions", lambda _, o: len(o.output.shape) > LARGEST_RANK),
)


def census(package: Package) -> list[Row]:
    """Every kind of operation, by name; constants that are decompressed before the program runs are left out."""
    counted = Counter(
        (operation.kind, operation.output.dtype, _leaves(package, operation) or "")
        for operation in package.operations
        if operation.kind not in COMPUTED_BEFOREHAND
    )
    return [Row(kind, dtype, count, reason or None) for (kind, dtype, reason), count in sorted(counted.items())]


def _leaves(package: Package, operation: Operation) -> str | None:
    return next((reason for reason, broken in RULES if broken(package, operation)), None)
