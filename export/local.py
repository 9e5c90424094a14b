"""Artifacts of native code: built on the machine that runs them, kept in the cache, and carried in no bundle."""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from export.command import describe
from export.errors import ExportError
from export.protocol import Exporter, Report, accepts, check, render
from runtime.atomic import replacing
from runtime.cache import place
from tadsr import commands
from tadsr.program import Program, open_program


class LocalExporter(Exporter, Protocol):
    """An exporter whose artifact runs on machines like this one alone."""

    def machine(self) -> tuple[str, ...]:
        """What the artifact depends on beside the program: versions, device, what its processor can do."""


def cached(exporter: LocalExporter, program: Program) -> Path:
    """Where the program's artifact is in the cache, built or not. Raises ``ExportError``, as ``check`` does."""
    check(exporter, program)
    source = hashlib.sha256(program.path.read_bytes()).hexdigest()
    stem = f"{program.metadata.name}.{exporter.name}.{exporter.precision}"
    return place(stem, source, exporter.machine(), exporter.suffix)


def build(exporter: LocalExporter, program: Program, path: Path | None = None) -> tuple[Path, Report]:
    """The program's artifact at ``path``, or in the cache, where one that lies there is only proven again.

    Raises ``ExportError``, and leaves what stood at ``path``; ``OSError`` passes through.
    """
    if path is None and (found := cached(exporter, program)).exists():
        return found, exporter.verify(found, program)
    path = path or cached(exporter, program)
    with replacing(path) as draft:
        report = render(exporter, program, draft)
    return path, report


def run_local(name: str, *exporters: LocalExporter, argv: Sequence[str] | None) -> None:
    """Run the command line of local exporters. Raises a ``TadsrError`` for a user's mistake."""
    precisions = list(dict.fromkeys(exporter.precision for exporter in exporters))
    parser = argparse.ArgumentParser(prog=commands.prog(name), description="Build for this machine and verify.")
    parser.add_argument("programs", type=Path, nargs="+", metavar="PROGRAM.pt2", help="with program.json beside it")
    parser.add_argument("-o", "--output", type=Path, help="the file to write, of one program; default: in the cache")
    parser.add_argument("--precision", choices=precisions, default=precisions[0], help="default: %(default)s")
    arguments = parser.parse_args(argv)
    if arguments.output and len(arguments.programs) > 1:
        raise ExportError(f"{arguments.output}: one file for several programs; give one program, or leave -o out")
    for source in arguments.programs:
        program = open_program(source)
        of_precision = [exporter for exporter in exporters if exporter.precision == arguments.precision]
        exporter = next((each for each in of_precision if accepts(each, program)), of_precision[0])
        try:
            path, report = build(exporter, program, arguments.output)
        except OSError as error:
            where = arguments.output or error.filename
            raise ExportError(f"{where}: cannot be written ({error.strerror}); choose another -o") from error
        commands.say(f"{path}: {describe(report)}")
