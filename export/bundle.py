"""``python -m export.bundle``: render a program for every engine in the table, prove each, and gather them."""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from export.exporters import EXPORTERS
from export.program import open_program
from runtime import commands
from runtime.bundle import SUFFIX, Artifact, Bundle, Manifest, check_target, write_bundle


def bundle(program_path: Path, output: Path) -> Bundle:
    """Export the program with every exporter and write the bundle folder; an earlier one survives a failure.

    Raises ``ExportError`` or ``BundleError``.
    """
    check_target(output)
    program, card = open_program(program_path)
    artifacts, files, accuracy = [], {}, []
    with tempfile.TemporaryDirectory() as folder:
        for exporter in track(EXPORTERS, description="exporting", transient=True, console=Console(stderr=True)):
            file = f"{card.name}-{exporter.precision}{exporter.suffix}"
            path = Path(folder) / file
            exporter.export(program, path)
            report = exporter.verify(path, program, card.align)
            artifacts.append(Artifact(file, exporter.name, exporter.precision))
            files[file] = path
            accuracy.append({"file": file, "against": "program", **asdict(report)})
        manifest = Manifest(
            name=card.name,
            scale=card.scale,
            align=card.align,
            receptive_radius=card.receptive_radius,
            effective_radius=card.effective_radius,
            tiles=card.tiles,
            artifacts=artifacts,
            accuracy=accuracy,
            licence=card.licence,
            provenance=card.provenance,
        )
        return write_bundle(output, manifest, files)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.bundle", description="Make a bundle of a program.")
    parser.add_argument("program", type=Path, help="student.pt2, with its program.json beside it")
    parser.add_argument("-o", "--output", type=Path, required=True, help=f"the bundle folder to write, NAME{SUFFIX}")
    arguments = parser.parse_args()
    written = bundle(arguments.program, arguments.output)
    for artifact, row in zip(written.manifest.artifacts, written.manifest.accuracy, strict=True):
        commands.say(f"{artifact.file}: {artifact.size / 1e6:.1f} MB, {row['worst_psnr']:.1f} dB from the program")
    commands.say(f"wrote {arguments.output}")


if __name__ == "__main__":
    commands.run(main)
