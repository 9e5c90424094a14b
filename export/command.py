"""The command line that all exporters share: ``python -m export.NAME PROGRAM.pt2... -o OUT [--precision P]``."""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.protocol import MADE_FROM, Exporter, Report, render
from runtime.atomic import replacing
from tadsr import commands
from tadsr.program import Program, for_tile, open_program


def run_exporter(name: str, *exporters: Exporter, argv: Sequence[str] | None) -> None:
    """Export programs for the engine of ``exporters``, one of which there is per precision.

    Raises a ``TadsrError`` for a user's mistake.
    """
    write_all(parser_of(name, *exporters).parse_args(argv), *exporters)


def parser_of(name: str, *exporters: Exporter) -> argparse.ArgumentParser:
    """The parser of the shared command line, for an exporter that has an option of its own."""
    suffix = exporters[0].suffix
    parser = argparse.ArgumentParser(prog=commands.prog(name), description="Export and verify what was written.")
    parser.add_argument("programs", type=Path, nargs="+", metavar="PROGRAM.pt2", help="with program.json beside it")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("-o", "--output", type=Path, help=f"the {suffix} file to write; for several programs a folder")
    target.add_argument("--dry-run", action="store_true", help="export and verify, but keep nothing")
    precisions = sorted(exporter.precision for exporter in exporters)
    parser.add_argument("--precision", choices=precisions, help="default: the most exact that the program can be")
    if exporters[0].static:
        parser.add_argument("--tile", type=int, help="side of its one tile, in pixels, for a program of free sizes")
    return parser


def write_all(arguments: argparse.Namespace, *exporters: Exporter) -> None:
    """Export what the shared command line asks for, one file after the other. Raises a ``TadsrError``."""
    table = {exporter.precision: exporter for exporter in exporters}
    for path in arguments.programs:
        program = open_program(path)
        usual = next(each.precision for each in exporters if MADE_FROM[each.precision] == program.precision)
        exporter = table[arguments.precision or usual]
        if exporter.static and arguments.tile is not None:
            program = for_tile(program, arguments.tile)
        if arguments.dry_run:
            report = try_out(exporter, program)
            commands.say(f"{path}: {exporter.name} {exporter.precision} can be made: {describe(report)}")
            continue
        several = len(arguments.programs) > 1
        output = arguments.output / path.with_suffix(exporter.suffix).name if several else arguments.output
        try:
            os.scandir(output.parent).close()  # what cannot be written fails before the work
            with replacing(output) as draft:  # an earlier file survives until the new one is proven
                report = render(exporter, program, draft)
        except OSError as error:
            raise ExportError(f"{output}: cannot be written ({error.strerror}); choose another -o") from error
        commands.say(f"{output}: {describe(report)}")


def try_out(exporter: Exporter, program: Program) -> Report:
    """Render and verify an artifact that is not kept. Raises ``ExportError``."""
    with tempfile.TemporaryDirectory() as folder:
        return render(exporter, program, Path(folder) / program.path.with_suffix(exporter.suffix).name)


def describe(report: Report) -> str:
    """One line of what was found."""
    findings = [f"{name.replace('_', ' ')}: {_text(value)}" for name, value in report.findings.items()]
    return "; ".join([f"{report.worst_psnr:.1f} dB from the program at worst", *findings])


def _text(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4g}"
