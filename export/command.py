"""The command line that all exporters share: ``python -m export.NAME PROGRAM.pt2... -o OUT [--precision P]``."""

import argparse
from pathlib import Path

from export.errors import ExportError
from export.protocol import MADE_FROM, Exporter, Report, render
from runtime.atomic import replacing
from tadsr import commands
from tadsr.program import for_tile, open_program


def run_exporter(name: str, *exporters: Exporter) -> None:
    """Export programs for the engine of ``exporters``, one of which there is per precision.

    Raises a ``TadsrError`` for what the user can mend.
    """
    write_all(parser_of(name, *exporters).parse_args(), *exporters)


def parser_of(name: str, *exporters: Exporter) -> argparse.ArgumentParser:
    """The parser of the shared command line, for an exporter that has an option of its own."""
    suffix = exporters[0].suffix
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description="Export and verify what was written.")
    parser.add_argument("programs", type=Path, nargs="+", metavar="PROGRAM.pt2", help="with program.json beside it")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=f"the {suffix} file to write; for several programs a folder",
    )
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
        several = len(arguments.programs) > 1
        output = arguments.output / path.with_suffix(exporter.suffix).name if several else arguments.output
        try:
            with replacing(output) as draft:  # an earlier file survives until the new one is proven
                report = render(exporter, program, draft)
        except OSError as error:
            raise ExportError(f"{output}: cannot be written ({error.strerror}); choose another -o") from error
        commands.say(f"{output}: {describe(report)}")


def describe(report: Report) -> str:
    """One line of what was found."""
    findings = [f"{name.replace('_', ' ')}: {_text(value)}" for name, value in report.findings.items()]
    return "; ".join([f"{report.worst_psnr:.1f} dB from the program at worst", *findings])


def _text(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4g}"
