"""``python -m export.verify``: check the files of a bundle again, beside the programs that they were made of."""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from export.command import describe
from export.errors import ExportError
from export.exporters import EXPORTERS
from export.protocol import MADE_FROM, Report, missing
from runtime.atomic import replacing
from runtime.bundle import Artifact, Bundle, read_bundle
from tadsr import commands
from tadsr.program import Program, ProgramError, for_tile, open_program

REPORT_FILE = "report.json"
"""Of the folder that the stages were given as ``--report``."""


@dataclass(frozen=True)
class Row:
    """One file of a bundle."""

    file: str
    backend: str
    precision: str
    tile: int | None
    problem: str | None
    """Why the file is not what it should be, in one line; None where nothing is wrong with it."""
    unchecked: str | None
    """Why it could not be run beside its program; None where it was. Its hash is checked in any case."""
    report: Report | None


def verify(bundle: Bundle, programs: Sequence[Program]) -> list[Row]:
    """Check every file's hash and, where its program is given and its engine is here, its answers.

    Raises ``BundleError`` where a file is missing or damaged.
    """
    known = {(program.precision, program.tile): program for program in reversed(programs)}  # the first of its kind
    with tempfile.TemporaryDirectory() as folder:
        return [_row(bundle, artifact, known, Path(folder)) for artifact in bundle.manifest.artifacts]


def _row(bundle: Bundle, artifact: Artifact, known: dict[tuple[str, int | None], Program], folder: Path) -> Row:
    """``known`` gains what is made of a program of free size for the artifact's tile, for the next artifact."""
    path = folder / artifact.file
    path.write_bytes(bundle.open(artifact))
    exporter = next((e for e in EXPORTERS if (e.name, e.precision) == (artifact.backend, artifact.precision)), None)
    made_from = MADE_FROM.get(artifact.precision, "")
    program = known.get((made_from, artifact.tile)) or known.get((made_from, None))
    problem = unchecked = report = None
    if exporter is None:
        unchecked = f"no exporter for {artifact.backend}/{artifact.precision}"
    elif reason := missing(exporter):
        unchecked = reason
    elif program is None:
        unchecked = "its program is not among those given"
    else:
        try:
            if artifact.tile is not None:
                program = known[made_from, artifact.tile] = for_tile(program, artifact.tile)
            report = exporter.verify(path, program)
        except (ExportError, ProgramError) as error:
            problem = str(error).removeprefix(f"{folder}/")
    return Row(artifact.file, artifact.backend, artifact.precision, artifact.tile, problem, unchecked, report)


def as_json(row: Row) -> dict[str, Any]:
    """The row as strict JSON can hold it: infinity, the PSNR of equal pictures, is the string "inf"."""
    plain = asdict(row)
    if row.report is not None:
        findings = {name: _written(value) for name, value in row.report.findings.items()}
        plain["report"] |= {"worst_psnr": _written(row.report.worst_psnr), "findings": findings}
    return plain


def _written(value: float) -> float | str:
    return "inf" if value == math.inf else value


def add_to_report(rows: Sequence[Row], folder: Path) -> None:
    """Put the rows into the report that the stages keep, in the place of earlier ones. Raises ``ExportError``."""
    path = folder / REPORT_FILE
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ExportError(
            f"{path}: no such file; measure a model with `python -m compress.report measure` first"
        ) from error
    except ValueError as error:
        raise ExportError(f"{path}: not JSON; take it away and measure again") from error
    report["checks"] = [as_json(row) for row in rows]
    with replacing(path) as draft:
        draft.write_text(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=commands.prog("export.verify"), description="Check a bundle again.")
    parser.add_argument("bundle", type=Path, help="a NAME.tadsr folder or zip")
    parser.add_argument(
        "programs",
        type=Path,
        nargs="*",
        metavar="PROGRAM.pt2",
        help="what it was made of; without, only hashes",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    parser.add_argument("--report", type=Path, metavar="DIR", help="add the rows to DIR/report.json")
    arguments = parser.parse_args(argv)
    rows = verify(read_bundle(arguments.bundle), [open_program(path) for path in arguments.programs])
    if arguments.report is not None:
        add_to_report(rows, arguments.report)
    if arguments.json:
        commands.say(json.dumps([as_json(row) for row in rows], indent=2))
    else:
        table = Table("file", "engine", "precision", "tile", "passes", "found")
        for row in rows:
            found = row.problem or (describe(row.report) if row.report else f"hash is right; {row.unchecked}")
            passes = "no" if row.problem else "yes" if row.report else "not run"
            table.add_row(row.file, row.backend, row.precision, str(row.tile or "any"), passes, found)
        Console().print(table, markup=False)
    if problems := [row for row in rows if row.problem]:
        sys.stderr.write(f"{len(problems)} of {len(rows)} files are not what they should be\n")
        sys.exit(1)


if __name__ == "__main__":
    commands.run(main)
