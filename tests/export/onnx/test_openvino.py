"""The ONNX artifacts in OpenVINO too; and a check without it says that it did without."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.errors import ExportError
from export.onnx import engines as onnx_engines
from export.onnx.exporter import FP16, FP32, INT8, OnnxExporter
from export.protocol import render
from export.verification.contents import contents_of
from runtime.backends.openvino import compiled_model
from tadsr.program import open_program
from tests.export.programs import needs_int8

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs openvino, which is not installed"
)


@needs_openvino
@pytest.mark.parametrize(("exporter", "psnr"), [(FP32, 90), (FP16, 55)])
def test_float_files(programs: Path, tmp_path: Path, exporter: OnnxExporter, psnr: float) -> None:
    found = render(exporter, open_program(programs / "student.pt2"), tmp_path / "out.onnx").findings
    assert found["checked_in_openvino"] is True
    assert found["openvino_worst_psnr"] >= psnr


@needs_openvino
@needs_int8
def test_int8_files_tensor_by_tensor(programs: Path, tmp_path: Path) -> None:
    found = render(INT8, open_program(programs / "student.int8.pt2"), tmp_path / "out.onnx").findings
    assert found["openvino_largest_step"] <= 1
    assert found["openvino_psnr_of_same_steps"] >= 90
    assert found["openvino_differing_steps"] < 0.02


@needs_openvino
@needs_int8
def test_every_quantised_convolution_runs_as_integers_there(programs: Path, tmp_path: Path) -> None:
    program = open_program(programs / "student.int8.pt2")
    INT8.export(program, tmp_path / "out.onnx")
    compiled = compiled_model((tmp_path / "out.onnx").read_bytes(), threads=None)
    layers = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ordered_ops()]
    precisions = [each["runtimePrecision"].value for each in layers if each["layerType"].value == "Convolution"]
    assert precisions.count("u8") == len(contents_of(program).layers) > 5
    assert precisions.count("f32") == 7  # those that read the picture or write the result, and of colour: left in float


def test_without_it_the_report_says_so(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))
    found = render(FP32, open_program(programs / "student.pt2"), tmp_path / "out.onnx").findings
    assert found == {"checked_in_openvino": False}


def test_an_engine_that_is_wrong_is_named(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: bytes) -> onnx_engines.Run:
        right = onnx_engines.in_onnxruntime(model)
        return lambda names, picture: [value + np.float32(0.01) for value in right(names, picture)]

    monkeypatch.setattr(onnx_engines, "ENGINES", {**onnx_engines.ENGINES, "onnx": wrong})
    assert importlib.util.find_spec(onnx.__name__) is not None
    with pytest.raises(ExportError, match=r"out\.onnx: in onnx: 40\.\d dB from the program, 90 dB are required"):
        render(FP32, open_program(programs / "student.pt2"), tmp_path / "out.onnx")
