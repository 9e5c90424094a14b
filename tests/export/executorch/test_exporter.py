"""The ExecuTorch artifact, run by ExecuTorch itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.errors import ExportError
from export.executorch import exporter as executorch
from export.protocol import Exporter, check
from export.verification.contents import contents_of
from tadsr.program import open_program
from tests.export.conftest import Export
from tests.export.programs import TILE, needs_executorch, needs_int8


@needs_executorch
@pytest.mark.parametrize(
    "exporter",
    [
        pytest.param(executorch.FP32, marks=pytest.mark.slow),
        pytest.param(executorch.INT8, marks=needs_int8),
    ],
)
def test_it_is_the_program_and_xnnpack_takes_all_of_it(exported: Export, exporter: Exporter) -> None:
    _, path, report = exported(exporter)
    assert report.findings["delegated_macs"] >= executorch.REQUIRED_FRACTION
    assert report.findings["delegated_graphs"] == 1
    engine = exporter.engine(path)
    tile = np.random.default_rng(0).random((1, 3, TILE, TILE), dtype=np.float32)
    first = engine(tile)
    assert first.shape == (1, 3, 4 * TILE, 4 * TILE)
    engine(1 - tile)
    np.testing.assert_array_equal(engine(tile), first)  # answers do not share memory
    turned = np.asfortranarray(tile)
    np.testing.assert_array_equal(engine(turned), first)  # and any layout in memory will do


@needs_executorch
def test_weights_in_the_order_of_training_break_nothing_up(programs: Path, tmp_path: Path) -> None:
    """Also 1x1 kernels, which are in both orders at once."""
    program = open_program(programs / f"student.{TILE}.pt2")
    for weight in program.exported.state_dict.values():
        if weight.dim() == 4:
            weight.data = torch.empty_like(weight, memory_format=torch.channels_last).copy_(weight)
    assert executorch.FP32.export(program, tmp_path / "out.pte")["delegated_graphs"] == 1


@pytest.mark.slow
@needs_executorch
def test_what_xnnpack_does_not_take_is_an_error(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executorch.exir import to_edge_transform_and_lower

    monkeypatch.setattr(executorch, "lower", lambda program: to_edge_transform_and_lower(program.exported))
    with pytest.raises(ExportError, match=r"XNNPACK takes 0\.0% of the multiply-accumulates, 99% are required"):
        executorch.FP32.export(open_program(programs / f"student.{TILE}.pt2"), tmp_path / "out.pte")
    assert not (tmp_path / "out.pte").exists()


@pytest.mark.slow
@needs_executorch
def test_no_convolution_stays_outside_however_small(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executorch.exir import to_edge_transform_and_lower

    monkeypatch.setattr(executorch, "lower", lambda program: to_edge_transform_and_lower(program.exported))
    monkeypatch.setattr(executorch, "REQUIRED_FRACTION", 0.0)
    with pytest.raises(ExportError, match="XNNPACK does not take aten_convolution_default"):
        executorch.FP32.export(open_program(programs / f"student.{TILE}.pt2"), tmp_path / "out.pte")


@needs_executorch
@needs_int8
def test_a_changed_scale_in_the_file_is_found(exported: Export, tmp_path: Path) -> None:
    program, path, report = exported(executorch.INT8)
    assert report.findings["layers_equal_to_the_bit"] == len(contents_of(program).layers) > 10
    scale = next(iter(next(iter(contents_of(program).scales.values()))))
    data = path.read_bytes()
    assert scale in data
    changed = tmp_path / "changed.pte"
    changed.write_bytes(data.replace(scale, np.nextafter(np.frombuffer(scale, np.float32), np.float32(1)).tobytes()))
    with pytest.raises(ExportError, match="are not the program's"):
        executorch.INT8.verify(changed, program)


@needs_executorch
def test_it_wants_one_tile_size(programs: Path) -> None:
    with pytest.raises(ExportError, match="of free sizes; executorch fp32 is for one tile size: give it as --tile"):
        check(executorch.FP32, open_program(programs / "student.pt2"))
