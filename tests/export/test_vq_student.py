"""A mobile student in VQ-f4 latents, of random weights, passes through every exporter that can be used here."""

from pathlib import Path

import pytest

from export.exporters import EXPORTERS
from export.protocol import MADE_FROM, Exporter, missing, render
from tadsr.program import for_tile, open_program
from tests.export.programs import HAS_TORCHAO, TILE, vq_network, write_programs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_programs(tmp_path_factory.mktemp("vq"), vq_network())


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda exporter: f"{exporter.name}-{exporter.precision}")
def test_it_passes(exporter: Exporter, folder: Path, tmp_path: Path) -> None:
    if reason := missing(exporter):
        pytest.skip(reason)
    made_from = MADE_FROM[exporter.precision]
    if made_from == "int8" and not HAS_TORCHAO:
        pytest.skip("needs torchao, which makes the INT8 program")
    program = open_program(folder / ("student.pt2" if made_from == "fp32" else "student.int8.pt2"))
    sized = for_tile(program, TILE) if exporter.static else program
    report = render(exporter, sized, tmp_path / f"vq{exporter.suffix}")
    assert report.worst_psnr >= {"fp32": 90, "fp16": 55, "int8": 30}[exporter.precision]
