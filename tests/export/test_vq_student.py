"""A mobile student in VQ-f4 latents, of random weights, passes through every exporter that can be used here.

Not in float32, which the float parts of INT8 programs stand for: its activations are other operations than ours.
"""

from pathlib import Path

import pytest

from export.exporters import EXPORTERS
from export.protocol import MADE_FROM, Exporter, missing, render
from tadsr.program import open_program
from tests.export.programs import HAS_TORCHAO, TILE, vq_network, write_programs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_programs(tmp_path_factory.mktemp("vq"), vq_network())


@pytest.mark.parametrize(
    "exporter",
    [exporter for exporter in EXPORTERS if exporter.precision != "fp32"],
    ids=lambda exporter: f"{exporter.name}-{exporter.precision}",
)
def test_it_passes(exporter: Exporter, folder: Path, tmp_path: Path) -> None:
    if reason := missing(exporter):
        pytest.skip(reason)
    made_from = MADE_FROM[exporter.precision]
    if made_from == "int8" and not HAS_TORCHAO:
        pytest.skip("needs torchao, which makes the INT8 program")
    stem = "student" if made_from == "fp32" else "student.int8"
    program = open_program(folder / (f"{stem}.{TILE}.pt2" if exporter.static else f"{stem}.pt2"))
    report = render(exporter, program, tmp_path / f"vq{exporter.suffix}")
    assert report.worst_psnr >= {"fp16": 55, "int8": 30}[exporter.precision]
