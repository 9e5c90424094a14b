"""Preflight: what is right passes, and every backend rejects what it cannot do."""

import json
import time
from pathlib import Path

import pytest
import torch

from export.preflight.judge import BACKENDS, Finding, Verdict, check
from tadsr.program import Program, open_program
from tests.export.preflight.one_op import OPERATIONS, SIDE, program_of
from tests.export.programs import CARD, needs_int8
from tests.export.test_onnx import run

COLUMNS = {(backend.name, precision) for backend in BACKENDS for precision in backend.precisions}


def findings_of(operation: str) -> list[Finding]:
    return check(Program(Path("one.pt2"), program_of(OPERATIONS[operation]), CARD, "fp32", SIDE))


def rejecting(findings: list[Finding]) -> set[str]:
    return {found.backend for found in findings if found.verdict is Verdict.REJECTED}


def test_a_program_of_ours_is_accepted_everywhere_in_seconds(programs: Path) -> None:
    program = open_program(programs / "student.pt2")
    before = time.perf_counter()
    findings = check(program)
    assert time.perf_counter() - before < 5
    assert rejecting(findings) == set()
    assert {(found.backend, found.precision) for found in findings} == COLUMNS
    of_xnnpack = [found for found in findings if (found.backend, found.precision) == ("executorch", "fp32")]
    assert {found.verdict for found in of_xnnpack} == {Verdict.DELEGATED}
    convolutions = sum("conv2d" in str(node.target) for node in program.exported.graph.nodes)
    in_int8 = {f.count for f in findings if (f.precision, f.operation, f.verdict) == ("int8", "conv2d", "quantised")}
    assert in_int8 == {convolutions}


@needs_int8
def test_of_an_int8_program_it_counts_what_is_int8(programs: Path) -> None:
    findings = check(open_program(programs / "student.int8.pt2"))
    assert {found.precision for found in findings} == {"int8"}
    assert rejecting(findings) == set()
    for backend in BACKENDS:
        counts = {
            found.verdict: found.count
            for found in findings
            if (found.backend, found.operation) == (backend.name, "conv2d")
        }
        assert counts.pop(Verdict.QUANTISED) > 5
        assert list(counts.values()) == [7]  # left in float: what reads the picture or writes the result, and colour


@pytest.mark.parametrize(
    ("operation", "backends"),
    [
        ("inverse", {"onnxruntime", "openvino", "tensorrt", "executorch", "coreml"}),
        ("fft", {"openvino", "tensorrt", "executorch", "coreml"}),
        ("conv3d", {"executorch", "coreml"}),
        ("nearest", {"coreml"}),
        ("softmax", {"executorch", "coreml"}),
        ("bicubic", {"coreml"}),
        ("relu", set()),
    ],
)
def test_backends_reject_what_they_cannot_do(operation: str, backends: set[str]) -> None:
    findings = findings_of(operation)
    assert rejecting(findings) == backends
    assert all(found.reason for found in findings if found.verdict is Verdict.REJECTED)


def test_more_dimensions_than_core_ml_has() -> None:
    program = torch.export.export(SixDimensions(), (torch.rand(1, 4, 4, 4),))
    findings = check(Program(Path("six.pt2"), program, CARD, "fp32", 4))
    assert "has more than 5 dimensions" in {f.reason for f in findings if f.backend == "coreml"}


def test_an_operation_in_no_table_is_not_let_through() -> None:
    program = torch.export.export(Erfinv(), (torch.rand(1, 3, 4, 4),))
    findings = check(Program(Path("erfinv.pt2"), program, CARD, "fp32", 4))
    assert rejecting(findings) == {backend.name for backend in BACKENDS}
    assert "is in no table" in str(findings[0].reason)


def test_a_zero_point_is_rejected_everywhere() -> None:
    program = torch.export.export(Asymmetric(), (torch.rand(1, 3, 4, 4),))
    findings = check(Program(Path("asymmetric.pt2"), program, CARD, "int8", 4))
    assert rejecting(findings) == {backend.name for backend in BACKENDS}


def test_command(programs: Path, tmp_path: Path) -> None:
    done = run("export.check", programs / "student.pt2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "conv2d" in done.stdout
    torch.export.save(program_of(OPERATIONS["inverse"]), tmp_path / "inverse.pt2")
    CARD.write(tmp_path)
    done = run("export.check", tmp_path / "inverse.pt2", "--json")
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/inverse.pt2: rejected by {len(COLUMNS)} backends and precisions\n"
    rows = json.loads(done.stdout)
    assert {row["operation"] for row in rows if row["verdict"] == "rejected"} == {"linalg_inv"}


class SixDimensions(torch.nn.Module):
    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return lr.unflatten(2, (2, 2)).unflatten(4, (2, 2)).permute(0, 1, 3, 2, 5, 4)


class Erfinv(torch.nn.Module):
    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return torch.erfinv(lr)


class Asymmetric(torch.nn.Module):
    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        rounded = torch.ops.quantized_decomposed.quantize_per_tensor(lr, 0.1, 3, -128, 127, torch.int8)
        return torch.ops.quantized_decomposed.dequantize_per_tensor(rounded, 0.1, 3, -128, 127, torch.int8)
