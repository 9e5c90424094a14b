"""The committed programs of the shipped model through every exporter, and the shipped bundle beside them."""

from pathlib import Path

import pytest

import runtime
from export.bundle import bundle
from export.exporters import EXPORTERS, USUAL
from export.protocol import missing
from export.verify import verify
from tadsr.program import open_program
from tests.export.programs import needs_int8

PROGRAMS = Path(__file__).parents[2] / "compress/programs/mobile"
PATHS = [PROGRAMS / "student.pt2", PROGRAMS / "student.int8.pt2"]
TARGETS = {"fp32": 90, "fp16": 55, "int8": 30}
"""Lowest PSNR in dB against the program, over whole tiles. INT8 is held to one step per tensor beside it."""


@pytest.mark.slow
@needs_int8
def test_every_artifact_that_can_be_made_here_is_made_and_proven(tmp_path: Path) -> None:
    here = [exporter for exporter in EXPORTERS if missing(exporter) is None]
    tiles = open_program(PATHS[0]).metadata.tiles
    manifest = bundle(PATHS, tmp_path / "all.tadsr", here, tiles).manifest
    made = {(artifact.backend, artifact.precision, artifact.tile) for artifact in manifest.artifacts}
    assert made == {(each.name, each.precision, tile) for each in here for tile in (tiles if each.static else [None])}
    for artifact, row in zip(manifest.artifacts, manifest.accuracy, strict=True):
        assert row["worst_psnr"] >= TARGETS[artifact.precision], artifact.file
        assert row.get("largest_step", 0) <= 1, artifact.file


@needs_int8
def test_the_shipped_bundle_is_what_the_programs_make() -> None:
    shipped = runtime.read_bundle(runtime.DEFAULT_BUNDLE)
    kinds = {(artifact.backend, artifact.precision) for artifact in shipped.manifest.artifacts}
    assert kinds == {(exporter.name, exporter.precision) for exporter in USUAL}
    assert sum(artifact.size for artifact in shipped.manifest.artifacts) <= 30e6
    for row in verify(shipped, [open_program(path) for path in PATHS]):
        assert row.problem is None, row.file
        exporter = next(each for each in EXPORTERS if (each.name, each.precision) == (row.backend, row.precision))
        assert row.unchecked == missing(exporter), row.file
