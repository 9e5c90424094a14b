"""Faults planted in a saved package, as a converter might leave them, and found by the verification."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.coreml.exporter import FP16, INT8
from export.coreml.package import read_package
from export.errors import ExportError
from tests.export.conftest import Export
from tests.export.coreml.packages import WEIGHTS, copy_of, operations
from tests.export.programs import needs_coremltools, needs_int8

pytestmark = [needs_coremltools, needs_int8]


def operation(specification: Any, kind: str, number: int) -> Any:
    return [each for each in operations(specification) if each.type == kind][number]


def test_an_untouched_copy_passes(exported: Export, tmp_path: Path) -> None:
    program, path, _ = exported(INT8)
    INT8.verify(copy_of(path, tmp_path), program)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_one_changed_weight(exported: Export, tmp_path: Path, precision: str) -> None:
    """The last bit of one weight: nothing that a picture would show."""
    exporter = {"fp16": FP16, "int8": INT8}[precision]
    program, path, _ = exported(exporter)
    changed = copy_of(path, tmp_path)
    kind, argument = ("conv", "weight") if precision == "fp16" else ("constexpr_affine_dequantize", "quantized_data")
    package = read_package(changed)
    weight = package.constant(package.of_kind(kind)[3], argument)
    assert isinstance(weight, np.ndarray)
    blob = bytearray((changed / WEIGHTS).read_bytes())
    blob[blob.index(weight.tobytes())] ^= 1
    (changed / WEIGHTS).write_bytes(blob)
    message = {"fp16": "has other numbers than the program's conv2d", "int8": "weights or scales of 1 of"}[precision]
    with pytest.raises(ExportError, match=message):
        exporter.verify(changed, program)


def rescale(specification: Any) -> None:
    """The scale of one quantised tensor, where it is written and where it is read: the pair is consistent."""
    quantize = operation(specification, "quantize", 5)
    output = quantize.outputs[0].name
    readers = [each for each in operations(specification) if each.type == "dequantize"]
    pair = [quantize, *(each for each in readers if each.inputs["input"].arguments[0].name == output)]
    names = {each.inputs["scale"].arguments[0].name for each in pair}
    for constant in operations(specification):
        if constant.type == "const" and constant.outputs[0].name in names:
            stored = constant.attributes["val"].immediateValue.tensor.bytes
            scale = np.frombuffer(stored.values, np.float16)
            stored.values = np.nextafter(scale, np.float16(np.inf)).tobytes()


def swap(specification: Any) -> None:
    operation(specification, "add", 2).type = "sub"


def overflow(specification: Any) -> None:
    """The factor that makes 255 levels of [0, 1] is what a careless converter would put at the wrong end."""
    pixels = operation(specification, "mul", 0).inputs["y"].arguments[0].name
    (factor,) = (each for each in operations(specification) if each.outputs[0].name == pixels)
    factor.attributes["val"].immediateValue.tensor.bytes.values = np.float16(300).tobytes()


@pytest.mark.parametrize(
    ("precision", "fault", "message"),
    [
        ("int8", rescale, "scales or zero points of quantize_per_tensor_5 are not the program's"),
        ("fp16", swap, "dB from the program, 55 dB are required"),
        ("int8", swap, "dB from the program, 30 dB are required|steps from the program's, given the same inputs"),
        ("fp16", overflow, r"overflows float16 \(its largest value is"),
        ("int8", overflow, r"overflows float16 \(its largest value is"),
    ],
)
def test_a_planted_fault(
    exported: Export, tmp_path: Path, precision: str, fault: Callable[[Any], None], message: str
) -> None:
    exporter = {"fp16": FP16, "int8": INT8}[precision]
    program, path, _ = exported(exporter)
    with pytest.raises(ExportError, match=message):
        exporter.verify(copy_of(path, tmp_path, fault), program)
