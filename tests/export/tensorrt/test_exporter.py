"""The ONNX file for TensorRT: the program's own numbers, in the types that engines compute in, and faults found."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.errors import ExportError
from export.half import halve
from export.protocol import check
from export.tensorrt.exporter import FP16, FP32, INT8, TensorrtExporter, main
from export.tensorrt.rules import ROUND
from tadsr.program import Program, open_program
from tests.export.conftest import Export
from tests.export.onnx.changed import write_changed
from tests.export.programs import TILE, needs_int8


@pytest.fixture(scope="module")
def program(exported: Export) -> Program:
    return exported(INT8).program


@pytest.fixture(scope="module")
def artifact(exported: Export) -> Path:
    return exported(INT8).path


@pytest.mark.parametrize(("exporter", "kind"), [(FP32, np.float32), (FP16, np.float16)])
def test_float_files_are_the_program_in_one_type(
    exported: Export, exporter: TensorrtExporter, kind: type[np.generic]
) -> None:
    _, path, report = exported(exporter)
    assert report.worst_psnr >= exporter.required_psnr
    model = onnx.load(path)
    stored = {numpy_helper.to_array(tensor).dtype for tensor in model.graph.initializer}
    assert {dtype for dtype in stored if dtype.kind == "f"} == {np.dtype(kind)}
    (lr,), (sr,) = model.graph.input, model.graph.output
    assert [value.type.tensor_type.elem_type for value in (lr, sr)] == [onnx.TensorProto.FLOAT] * 2
    assert [dimension.dim_param or dimension.dim_value for dimension in lr.type.tensor_type.shape.dim] == [
        "batch",
        3,
        "height",
        "width",
    ]


def test_halving_leaves_the_program_alone(programs: Path) -> None:
    program = open_program(programs / "student.pt2")
    before = {name: tensor.clone() for name, tensor in program.exported.state_dict.items()}
    halved = halve(program)
    assert {tensor.dtype for tensor in halved.state_dict.values()} == {torch.float16}
    assert all(tensor.equal(before[name]) for name, tensor in program.exported.state_dict.items())


@needs_int8
def test_int8_is_the_program_tensor_by_tensor(exported: Export) -> None:
    report = exported(INT8).report
    assert report.findings["largest_step"] <= 1
    assert report.findings["differing_steps"] < 1e-3
    assert report.findings["psnr_of_same_steps"] >= 90
    assert report.findings["layers_equal_to_the_bit"] > 10


@needs_int8
def test_names_are_those_of_layers_and_tensors(artifact: Path) -> None:
    names = {tensor.name for tensor in onnx.load(artifact).graph.initializer}
    assert {
        "zero_point",
        "quantize_per_tensor.scale",
        "student.conv_in.weight",
        "decoder.0.weight.scale",
    } <= names
    assert not any(name.startswith(("val_", "_frozen")) for name in names)


@pytest.fixture
def changed(artifact: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the artifact in which one constant was replaced by ``change(constant)``."""

    return partial(write_changed, artifact, tmp_path / "changed.trt.onnx")


def next_float(scale: np.ndarray) -> np.ndarray:
    return np.nextafter(scale, np.float32(1))


def one_step(weight: np.ndarray) -> np.ndarray:
    weight.flat[0] ^= 1
    return weight


@needs_int8
@pytest.mark.parametrize(
    ("constant", "change"),
    [
        ("quantize_per_tensor_3.scale", next_float),
        ("conv1.weight.scale", next_float),
        ("conv1.weight", one_step),
    ],
)
def test_one_bit_is_found(
    program: Program, changed: Callable[..., Path], constant: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    with pytest.raises(ExportError, match=r"are not the program's|dequantised by the"):
        INT8.verify(changed(constant, change), program)


@needs_int8
def test_a_changed_bias_is_found(program: Program, changed: Callable[..., Path]) -> None:
    with pytest.raises(ExportError, match="steps from the program's"):
        INT8.verify(changed("conv2.bias", lambda bias: bias + np.float32(1)), program)


@needs_int8
def test_a_lost_rounding_is_found(program: Program, artifact: Path, tmp_path: Path) -> None:
    model = onnx.load(artifact)
    rounding = next(node for node in model.graph.node if node.op_type == ROUND)
    readers = [node for node in model.graph.node if rounding.output[0] in node.input]
    replaced = {node.output[0]: rounding.input[0] for node in readers}
    for node in [rounding, *readers]:
        model.graph.node.remove(node)
    for node in model.graph.node:
        node.input[:] = [replaced.get(name, name) for name in node.input]
    onnx.save(model, tmp_path / "lost.trt.onnx")
    with pytest.raises(ExportError):
        INT8.verify(tmp_path / "lost.trt.onnx", program)


def test_the_script_lies_beside_the_file_and_the_command_says_what_is_missing(
    programs: Path,
    exported: Export,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, path, report = exported(FP16)
    assert {each.name for each in path.parent.iterdir()} == {path.name, "build_engine.py"}
    monkeypatch.setattr("export.command.render", lambda exporter, program, draft: draft.touch() or report)
    main([str(programs / "student.pt2"), "--precision", "fp16", "-o", str(tmp_path / "out.trt.onnx")])
    told = capsys.readouterr().out
    assert "psnr in tensorrt" in told or "no engine was built: " in told


def test_bad_input_leaves_the_old_file(programs: Path, tmp_path: Path) -> None:
    old, folder = tmp_path / "old.trt.onnx", tmp_path / "file"
    old.write_bytes(b"old")
    folder.write_bytes(b"")
    for name, output, told in (
        (f"student.{TILE}.pt2", old, "tensorrt fp32 is made from a program of free sizes"),
        ("student.pt2", folder / "out.trt.onnx", "cannot be written"),
    ):
        with pytest.raises(ExportError, match=told) as error:
            main([str(programs / name), "-o", str(output)])
        assert "\n" not in str(error.value)
    assert old.read_bytes() == b"old"


@needs_int8
def test_fp16_is_not_made_of_integers(program: Program) -> None:
    with pytest.raises(ExportError, match="tensorrt fp16 is made from an fp32 program"):
        check(FP16, program)
