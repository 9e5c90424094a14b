"""Artifacts of the tiny network's programs, each exported and verified once for all tests of a session."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest

from export.onnx.torch_onnx import convert
from export.protocol import MADE_FROM, Exporter, Report, render
from tadsr.program import Program, open_program
from tests.export.programs import TILE


class Exported(NamedTuple):
    """An artifact: read it, do not change it."""

    program: Program
    path: Path
    report: Report


Export = Callable[[Exporter], Exported]


@pytest.fixture(scope="session")
def opened(programs: Path) -> Callable[[str], Program]:
    """Programs by the stem of their file."""
    return cache(lambda stem: open_program(programs / f"{stem}.pt2"))


@pytest.fixture(scope="session")
def exported(opened: Callable[[str], Program], tmp_path_factory: pytest.TempPathFactory) -> Export:
    """What an exporter makes of its program, and what verifying it found."""

    @cache
    def make(exporter: Exporter) -> Exported:
        stem = "student.int8" if MADE_FROM[exporter.precision] == "int8" else "student"
        program = opened(f"{stem}.{TILE}" if exporter.static else stem)
        path = tmp_path_factory.mktemp(exporter.name) / f"{exporter.precision}{exporter.suffix}"
        return Exported(program, path, render(exporter, program, path))

    return make


@pytest.fixture(scope="session")
def converted(opened: Callable[[str], Program]) -> Callable[[str], onnx.ModelProto]:
    """A program, by the stem of its file, as torch writes it in ONNX: a copy at every call."""
    written = cache(lambda stem: convert(opened(stem).exported).SerializeToString())
    return lambda stem: onnx.ModelProto.FromString(written(stem))
