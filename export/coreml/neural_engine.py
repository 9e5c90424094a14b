"""Which operations of a package are known to leave the neural engine.

Core ML alone decides where an operation runs, and only the device shows it (Xcode's performance report,
``MLComputePlan``). Apple publishes no list. The rules are those of ``hollance/neural-engine``
(docs/unsupported-layers.md), what ``MLComputePlan`` says of roboflow/rf-detr (pull request 1495), and Apple's
"Deploying Transformers on the Apple Neural Engine" (2022): float16 and INT8, on tensors of four dimensions.
"""

from collections.abc import Callable

import numpy as np

from export.coreml.package import Operation, Package

BORDER = ("cast",)
"""Between the float32 of the function's own input and output and float16: done where pixels are converted anyway."""
UNKNOWN_TO_IT = ("custom_layer", "gather", "gather_along_axis", "gather_nd", "gru", "lstm", "rnn", "topk")
COMPUTED_BEFOREHAND = ("constexpr_affine_dequantize",)
LARGEST_RANK = 4


def _is_dilated(package: Package, operation: Operation) -> bool:
    dilations = package.constant(operation, "dilations")
    return isinstance(dilations, np.ndarray) and bool(np.any(dilations != 1))


RULES: tuple[tuple[str, Callable[[Package, Operation], bool]], ...] = (
    ("computes in float32", lambda _, o: o.output.dtype == "FLOAT32" and o.kind not in BORDER),
    ("unknown to the neural engine", lambda _, o: o.kind in UNKNOWN_TO_IT),
    ("dilated", _is_dilated),
    (f"more than {LARGEST_RANK} dimensions", lambda _, o: len(o.output.shape) > LARGEST_RANK),
)


def computed(package: Package) -> list[Operation]:
    """The operations that run with the program; constants are decompressed before."""
    return [operation for operation in package.operations if operation.kind not in COMPUTED_BEFOREHAND]


def leaving(package: Package) -> dict[str, str]:
    """Why operations leave the neural engine, by the names of their outputs."""
    found: dict[str, str] = {}
    for operation in computed(package):
        for reason, applies in RULES:
            if applies(package, operation):
                found.setdefault(operation.output.name, reason)
    return found
