"""Reading a saved package: what lies in the file, from a folder or a zip, and nothing from a damaged one."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.coreml.neural_engine import leaving
from export.coreml.package import read_package, read_tensor
from export.errors import ExportError
from export.verification.mil_interpreter import run
from tests.export.coreml.packages import MODEL, WEIGHTS, Function, copy_of, operations, package_of
from tests.export.programs import needs_coremltools

X = torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.ReLU())
    return package_of(network, X, tmp_path_factory.mktemp("package")).path


@needs_coremltools
def test_a_zip_is_read_like_the_folder(package: Path, tmp_path: Path) -> None:
    zipped = read_package(Path(shutil.make_archive(str(tmp_path / "p"), "zip", package.parent, package.name)))
    folder = read_package(package)
    assert zipped.operations == folder.operations
    assert zipped.constants.keys() == folder.constants.keys()
    answers = [run(each, {"x": X.numpy()}, fp16=False)["y"] for each in (zipped, folder)]
    np.testing.assert_array_equal(*answers)


@needs_coremltools
def test_declarations_are_the_files(package: Path) -> None:
    read = read_package(package)
    assert read.opset == "CoreML7"
    assert [(each.name, each.dtype, each.shape) for each in read.inputs] == [("x", "FLOAT32", (1, 4, 8, 8))]
    assert [operation.kind for operation in read.operations] == ["conv", "relu"]
    (conv,) = read.of_kind("conv")
    assert conv.output.shape == (1, 16, 8, 8)
    pad = read.constant(conv, "pad")
    assert isinstance(pad, np.ndarray)
    assert pad.tolist() == [1, 1, 1, 1]
    assert read.constant(conv, "x") is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no manifest": lambda package: (package / "Manifest.json").unlink(),
    "a manifest that is no JSON": lambda package: cut(package / "Manifest.json"),
    "no program": lambda package: (package / MODEL).unlink(),
    "half a program": lambda package: cut(package / MODEL),
    "no weights": lambda package: (package / WEIGHTS).unlink(),
    "half the weights": lambda package: cut(package / WEIGHTS),
    "weights of zeros": lambda package: (package / WEIGHTS).write_bytes(bytes((package / WEIGHTS).stat().st_size)),
    "an empty program": lambda package: (package / MODEL).write_bytes(b""),
}


@needs_coremltools
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_package_is_an_error_of_one_line(package: Path, tmp_path: Path, damage: str) -> None:
    damaged = copy_of(package, tmp_path)
    DAMAGE[damage](damaged)
    with pytest.raises(ExportError, match="export it again") as caught:
        read_package(damaged)
    assert str(damaged) in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_coremltools
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_package(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mlpackage").write_bytes(content)
    with pytest.raises(ExportError, match=r"not a whole \.mlpackage"):
        read_package(tmp_path / "a.mlpackage")


def test_the_weight_file_follows_the_format() -> None:
    data = np.array([[1, -2], [3, 4]], np.int8)
    blob = struct.pack("<II56x", 1, 2) + struct.pack("<IIQQ40x", 0xDEADBEEF, 4, 4, 128) + data.tobytes()
    np.testing.assert_array_equal(read_tensor(blob, 64, (2, 2)), data)
    for offset, shape in ((0, (2, 2)), (64, (5,)), (4096, (2, 2))):
        with pytest.raises(ExportError, match=f"at byte {offset}"):
            read_tensor(blob, offset, shape)


@needs_coremltools
def test_an_unknown_operation_is_an_error_that_names_it(tmp_path: Path) -> None:
    package = package_of(nn.Softmax(1), X, tmp_path)
    with pytest.raises(ExportError, match=r"softmax is not an operation that can be checked here .*add it to"):
        run(package, {"x": X.numpy()}, fp16=False)


@needs_coremltools
def test_a_shape_that_is_not_as_declared_is_found(package: Path, tmp_path: Path) -> None:
    def shrink(specification: object) -> None:
        (conv,) = [operation for operation in operations(specification) if operation.type == "conv"]
        conv.outputs[0].type.tensorType.dimensions[1].constant.size = 15

    changed = read_package(copy_of(package, tmp_path, shrink))
    with pytest.raises(ExportError, match=r"is \(1, 16, 8, 8\), the file declares \(1, 15, 8, 8\)"):
        run(changed, {"x": X.numpy()}, fp16=False)


@needs_coremltools
@pytest.mark.parametrize(
    ("network", "precision", "kind", "reason"),
    [
        (nn.Conv2d(4, 4, 3), "FLOAT16", "conv", None),
        (nn.Conv2d(4, 4, 3), "FLOAT32", "conv", "computes in float32"),
        (nn.Conv2d(4, 4, 3, dilation=2), "FLOAT16", "conv", "dilated"),
        (
            Function(lambda x: x.reshape(1, 2, 2, 8, 8) * x.reshape(1, 2, 2, 8, 8)),
            "FLOAT16",
            "mul",
            "more than 4 dimensions",
        ),
    ],
)
def test_what_leaves_the_neural_engine_is_known(
    tmp_path: Path, network: nn.Module, precision: str, kind: str, reason: str | None
) -> None:
    package = package_of(network, X, tmp_path, precision)
    (operation,) = package.of_kind(kind)
    assert leaving(package).get(operation.output.name) == reason
