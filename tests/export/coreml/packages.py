"""Small Core ML packages: made by coremltools, saved, read back, and damaged on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from export.coreml.package import Package, quiet_coremltools, read_package

MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
Spec = Any
"""A ``Model_pb2.Model``."""


class Function(nn.Module):
    """A function of one tensor."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def package_of(network: nn.Module, x: Tensor, folder: Path, precision: str = "FLOAT32") -> Package:
    """The package of a network that takes a tensor ``x`` and gives ``y``, saved and read back."""
    exported = torch.export.export(network.eval(), (x,)).run_decompositions({})
    with quiet_coremltools():
        import coremltools as ct

        model = ct.convert(
            exported,
            inputs=[ct.TensorType(name="x", shape=x.shape, dtype=np.float32)],
            outputs=[ct.TensorType(name="y", dtype=np.float32)],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=getattr(ct.precision, precision),
            skip_model_load=True,
        )
        model.save(str(folder / "small.mlpackage"))
    return read_package(folder / "small.mlpackage")


def copy_of(package: Path, folder: Path, change: Callable[[Spec], None] = lambda spec: None) -> Path:
    """A copy whose specification went through ``change``."""
    with quiet_coremltools():
        from coremltools.proto import Model_pb2
    copy = folder / "changed.mlpackage"
    shutil.copytree(package, copy)
    specification = Model_pb2.Model()
    specification.ParseFromString((copy / MODEL).read_bytes())
    change(specification)
    (copy / MODEL).write_bytes(specification.SerializeToString())
    return copy


def operations(specification: Spec) -> Any:
    """All operations of the program, constants too."""
    (block,) = specification.mlProgram.functions["main"].block_specializations.values()
    return block.operations
