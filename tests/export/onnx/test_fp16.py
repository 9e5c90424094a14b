"""The fp16 ONNX artifact: half the size, pictures in and out in float32, 55 dB from the program."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from export.errors import ExportError
from export.onnx.exporter import FP16, FP32
from tests.export.conftest import Export

FLOAT, FLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


@pytest.fixture(scope="module")
def artifact(exported: Export) -> Path:
    assert exported(FP16).report.worst_psnr >= 55
    return exported(FP16).path


def test_its_numbers_are_float16_and_its_pictures_float32(artifact: Path) -> None:
    model = onnx.load(artifact)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 20
    assert {tensor.data_type for tensor in model.graph.initializer} <= {FLOAT16, onnx.TensorProto.INT64}
    (lr,), (sr,) = model.graph.input, model.graph.output
    assert (lr.type.tensor_type.elem_type, sr.type.tensor_type.elem_type) == (FLOAT, FLOAT)
    assert (lr.name, sr.name) == ("lr", "sr")
    assert [d.dim_param or d.dim_value for d in lr.type.tensor_type.shape.dim] == ["batch", 3, "height", "width"]
    assert [node.op_type for node in model.graph.node].count("Cast") == 2
    assert b".py" not in artifact.read_bytes()


def test_it_is_smaller_and_of_any_size(exported: Export, artifact: Path) -> None:
    weights = [
        sum(len(tensor.raw_data) for tensor in onnx.load(path).graph.initializer)
        for path in (artifact, exported(FP32).path)
    ]
    assert weights[0] < 0.6 * weights[1]
    for shape in ((1, 3, 2, 2), (2, 3, 10, 4)):
        picture = FP16.engine(artifact)(np.full(shape, 0.5, np.float32))
        assert (picture.shape, picture.dtype) == ((shape[0], 3, 4 * shape[2], 4 * shape[3]), np.float32)


def test_a_weight_that_lost_more_than_float16_loses_is_caught(exported: Export, artifact: Path, tmp_path: Path) -> None:
    model = onnx.load(artifact)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] += np.float16(0.5)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(ExportError, match="55 dB are required"):
        FP16.verify(tmp_path / "broken.onnx", exported(FP16).program)
