"""The ONNX artifacts in OpenVINO too; and a check without it says that it did without."""

import importlib.util

import numpy as np
import pytest

from export.errors import ExportError
from export.onnx import engines
from export.onnx.exporter import FP16, FP32, INT8, OnnxExporter
from export.verification.contents import contents_of
from runtime.backends.openvino import compiled_model
from tests.export.conftest import Export
from tests.export.programs import needs_int8

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs openvino, which is not installed"
)


@needs_openvino
@pytest.mark.parametrize(("exporter", "psnr"), [(FP32, 90), (FP16, 55)])
def test_float_files(exported: Export, exporter: OnnxExporter, psnr: float) -> None:
    found = exported(exporter).report.findings
    assert found["checked_in_openvino"] is True
    assert found["openvino_worst_psnr"] >= psnr


@needs_openvino
@needs_int8
def test_int8_files_tensor_by_tensor(exported: Export) -> None:
    found = exported(INT8).report.findings
    assert found["openvino_largest_step"] <= 1
    assert found["openvino_psnr_of_same_steps"] >= 90
    assert found["openvino_differing_steps"] < 0.02


@needs_openvino
@needs_int8
def test_every_quantised_convolution_runs_as_integers_there(exported: Export) -> None:
    program, path, _ = exported(INT8)
    compiled = compiled_model(path.read_bytes(), threads=None)
    layers = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ordered_ops()]
    precisions = [each["runtimePrecision"].value for each in layers if each["layerType"].value == "Convolution"]
    assert precisions.count("u8") == len(contents_of(program).layers) > 5
    assert precisions.count("f32") == 7  # those that read the picture or write the result, and of colour: left in float


def test_without_it_the_report_says_so(exported: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {engines.ONNX_RUNTIME: engines.in_onnxruntime, "alien": engines.in_onnxruntime}
    monkeypatch.setattr(engines, "ENGINES", here)
    program, path, _ = exported(FP32)
    assert FP32.verify(path, program).findings == {"checked_in_openvino": False}


def test_an_engine_that_is_wrong_is_named(exported: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: bytes) -> engines.Run:
        right = engines.in_onnxruntime(model)
        return lambda names, picture: [value + np.float32(0.01) for value in right(names, picture)]

    monkeypatch.setattr(engines, "installed", lambda: {engines.ONNX_RUNTIME: engines.in_onnxruntime, "another": wrong})
    program, path, _ = exported(FP32)
    with pytest.raises(ExportError, match=r"onnx: in another: 40\.\d dB from the program, 90 dB are required"):
        FP32.verify(path, program)
