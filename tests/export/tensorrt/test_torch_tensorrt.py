"""Compiling by Torch-TensorRT: what it is asked for, stood in for, and what is said where it is missing."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from export import local
from export.errors import ExportError
from export.tensorrt import torch_tensorrt
from export.tensorrt.torch_tensorrt import FP16, FP32
from runtime.cache import VARIABLE
from tadsr.program import Program
from tests.export.programs import TILE


@pytest.fixture
def program(opened: Callable[[str], Program]) -> Program:
    return opened("student")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``compile`` and ``save`` were asked for, by name."""
    found: dict[str, Any] = {}

    def compile(exported: torch.export.ExportedProgram, **options: Any) -> str:
        found.update(options, exported=exported)
        return "compiled"

    def save(module: str, file_path: str, **options: Any) -> None:
        found["saved"] = options
        Path(file_path).write_text(module, encoding="utf-8")

    package = SimpleNamespace(Input=dict, dynamo=SimpleNamespace(compile=compile), save=save)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "torch_tensorrt", package)
    monkeypatch.setattr(torch_tensorrt, "_gpu", lambda: ("NVIDIA H100", "(9, 0)"))
    monkeypatch.setattr("torch.export.passes.move_to_device_pass", lambda exported, device: exported)
    return found


def test_one_engine_for_every_tile(program: Program, asked: dict[str, Any], tmp_path: Path) -> None:
    FP32.export(program, tmp_path / "out.trt.pt2")
    assert (tmp_path / "out.trt.pt2").read_text() == "compiled"
    (given,) = asked["arg_inputs"]
    smallest = (1, 3, TILE, TILE)
    assert (given["min_shape"], given["opt_shape"], given["max_shape"]) == (smallest, smallest, smallest)
    assert asked["require_full_compilation"]
    assert asked["disable_tf32"]
    assert asked["saved"] == {"output_format": "exported_program", "arg_inputs": asked["arg_inputs"]}


def test_half_precision_is_in_the_graph(program: Program, asked: dict[str, Any], tmp_path: Path) -> None:
    FP16.export(program, tmp_path / "out.trt.pt2")
    assert {tensor.dtype for tensor in asked["exported"].state_dict.values()} == {torch.float16}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="torch sees no NVIDIA GPU"):
        FP32.export(program, tmp_path / "out.trt.pt2")


def test_a_missing_package_names_its_extra(program: Program) -> None:
    with pytest.raises(ExportError, match=r'alien is not installed; get it with: pip install "tadsr\[tensorrt'):
        local.build(replace(FP32, packages=("alien",)), program)
