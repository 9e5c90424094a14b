"""What every exporter is: it renders one program for one engine, and proves what it wrote."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from tadsr.program import Program

Tile = NDArray[np.float32]
Engine = Callable[[Tile], Tile]
"""[N, 3, h, w] in [0, 1] -> [N, 3, scale h, scale w] in [0, 1]."""
Findings = dict[str, float | bool]
"""What an exporter found out of an artifact, by name."""
MADE_FROM = {"fp32": "fp32", "fp16": "fp32", "int8": "int8"}
"""Precision of the program that an artifact of a precision is made from."""


@dataclass(frozen=True)
class Report:
    """How far an artifact's answers are from the program's, over all test tiles."""

    worst_psnr: float
    """Lowest PSNR of any tile in dB, peak 1."""
    largest_error: float
    """Largest absolute difference of any value, in [0, 1]."""
    findings: Findings = field(default_factory=dict)
    """What else is known; the manifest keeps it."""


class Exporter(Protocol):
    """One row of the table in ``export.exporters``."""

    @property
    def name(self) -> str:
        """Name of the backend that runs the artifact."""

    @property
    def precision(self) -> str:
        """Precision of the artifact, as the manifest writes it; ``MADE_FROM`` says which programs it takes."""

    @property
    def suffix(self) -> str:
        """Suffix of the file, with its dot."""

    @property
    def static(self) -> bool:
        """Whether it takes programs of one tile size, and none of free sizes."""

    @property
    def extra(self) -> str:
        """The extra of tadsr that brings its packages."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages without which it cannot be used."""

    def export(self, program: Program, path: Path) -> Findings:
        """Write the artifact, and tell what only the making shows. Raises ``ExportError``."""

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The artifact in its own engine; ``threads`` None leaves the number to it."""

    def threads(self, asked: int) -> int:
        """How many the engine really takes where it is asked to take so many."""

    def verify(self, path: Path, program: Program) -> Report:
        """The artifact's answers in its own engine beside the program's. Raises ``ExportError`` if they are too far."""


def missing(exporter: Exporter) -> str | None:
    """Why the exporter cannot be used here and the command that mends it, or None where it can."""
    absent = [package for package in exporter.packages if importlib.util.find_spec(package) is None]
    if not absent:
        return None
    return f'{", ".join(absent)} is not installed; get it with: pip install "tadsr[{exporter.extra}]"'


def accepts(exporter: Exporter, program: Program) -> bool:
    """Whether the program is of the kind that the exporter takes."""
    return MADE_FROM[exporter.precision] == program.precision and exporter.static == (program.tile is not None)


def check(exporter: Exporter, program: Program) -> None:
    """Raises ``ExportError`` where the exporter cannot be used here or the program is of another kind."""
    if reason := missing(exporter):
        raise ExportError(reason)
    if accepts(exporter, program):
        return
    made_from, kind = MADE_FROM[exporter.precision], f"{exporter.name} {exporter.precision}"
    if made_from != program.precision:
        raise ExportError(f"{program.path}: an {program.precision} program; {kind} is made from an {made_from} program")
    if exporter.static:
        tiles = ", ".join(map(str, program.metadata.tiles))
        raise ExportError(f"{program.path}: of free sizes; {kind} is for one tile size: give it as --tile ({tiles})")
    raise ExportError(f"{program.path}: for tiles of {program.tile}; {kind} is made from a program of free sizes")


def render(exporter: Exporter, program: Program, path: Path) -> Report:
    """Check that the exporter can be used, write the artifact and prove it. Raises ``ExportError``."""
    check(exporter, program)
    findings = exporter.export(program, path)
    report = exporter.verify(path, program)
    return replace(report, findings={**findings, **report.findings})
