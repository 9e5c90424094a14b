"""``python -m export.bundle``: render programs for every engine in the table, prove each file, and gather them."""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from export.command import describe
from export.errors import ExportError
from export.exporters import EXPORTERS, USUAL
from export.protocol import MADE_FROM, Exporter, Report, accepts, missing, render
from export.speed import SIDE, advise, timing_threads
from runtime.bundle import SUFFIX, Artifact, Bundle, Manifest, check_target, write_bundle
from tadsr import commands
from tadsr.program import Program, ProgramMetadata, for_tile, open_program, read_metadata

COMMITTED = Path(__file__).parents[1] / "compress/programs/mobile"
"""The programs of the shipped model. Not in the wheel."""
DIST = Path("dist")


@dataclass(frozen=True)
class _Made:
    """An artifact that was written and proven."""

    exporter: Exporter
    tile: int | None
    path: Path
    report: Report

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.path.name, self.exporter.name, self.exporter.precision, self.tile)

    @property
    def accuracy(self) -> dict[str, Any]:
        report = self.report
        figures = {"worst_psnr": report.worst_psnr, "largest_error": report.largest_error, **report.findings}
        return {"file": self.path.name, "against": "program", **figures}


def bundle(
    paths: Sequence[Path],
    output: Path,
    exporters: Sequence[Exporter] = USUAL,
    tiles: Sequence[int] = (),
    proven: Callable[[Path, Report], None] | None = None,
) -> Bundle:
    """Export the programs with every exporter that takes them and write the bundle; an earlier one survives a failure.

    The programs are of one network: ``student.pt2``, and the ``student.int8.pt2`` that was made of it. Engines that
    need one tile size are given each of ``tiles``. ``proven`` is called with each file as soon as it is proven. Raises
    ``ExportError`` or ``BundleError``.
    """
    check_target(output)
    programs = [open_program(path) for path in paths]
    metadata = _common_metadata(programs)
    for_tiles = {MADE_FROM[exporter.precision] for exporter in exporters if exporter.static}
    free = [program for program in programs if program.tile is None and program.precision in for_tiles]
    sized = [*programs, *(for_tile(program, side) for program in free for side in tiles)]
    jobs = [(exporter, program) for exporter in exporters for program in sized if accepts(exporter, program)]
    if idle := [program for program in programs if program.path not in [job[1].path for job in jobs]]:
        raise ExportError(f"{idle[0].path}: nothing in a bundle is made of it; add --all, or leave it out")
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for exporter, program in track(jobs, "exporting", transient=True, console=Console(stderr=True)):
            parts = [metadata.name, exporter.precision, *([] if program.tile is None else [str(program.tile)])]
            path = Path(folder) / f"{'-'.join(parts)}{exporter.suffix}"
            report = render(exporter, program, path)
            made.append(_Made(exporter, program.tile, _one_file(path), report))
            if proven is not None:
                proven(made[-1].path, report)
        manifest = Manifest(
            name=metadata.name,
            scale=metadata.scale,
            align=metadata.align,
            receptive_radius=metadata.receptive_radius,
            effective_radius=metadata.effective_radius,
            tiles=metadata.tiles,
            artifacts=[one.artifact for one in made],
            accuracy=[one.accuracy for one in made],
            licence=metadata.licence,
            provenance={**metadata.provenance, "programs": [_origin(program) for program in programs]},
            advice=_advice(made),
        )
        return write_bundle(output, manifest, {one.path.name: one.path for one in made})


def _origin(program: Program) -> dict[str, Any]:
    """What identifies a program: by it the runtime finds for the bundle what was built of it on a machine."""
    digest = sha256(program.path.read_bytes()).hexdigest()
    return {"file": program.path.name, "precision": program.precision, "tile": program.tile, "sha256": digest}


def _one_file(path: Path) -> Path:
    """A Core ML package is a folder, and a bundle holds files: zipped, as such packages are sent around anyway."""
    if not path.is_dir():
        return path
    return Path(shutil.make_archive(str(path), "zip", path.parent, path.name))


def _common_metadata(programs: Sequence[Program]) -> ProgramMetadata:
    """The metadata beside all programs; of two folders, beside the INT8 program that was made of the other's."""
    folders = {program.path.parent.resolve() for program in programs}
    if len(folders) == 1:
        return programs[0].metadata
    origins = {sha256(program.path.read_bytes()).hexdigest(): program.path.parent.resolve() for program in programs}
    for program in programs:
        quantised = program.metadata.provenance.get("quantisation", {}).get("program", {}).get("sha256")
        if {origins.get(quantised), program.path.parent.resolve()} == folders:
            return program.metadata
    raise ExportError(
        f"{programs[-1].path}: lies in another folder than {programs[0].path}, and neither was quantised from the "
        "other; a bundle is made of one network"
    )


def _advice(made: Sequence[_Made]) -> list[dict[str, Any]]:
    """Every artifact that is not float beside the float one of the same engine and tile, where there is one."""
    float32 = {(one.exporter.name, one.tile): one for one in made if one.exporter.precision == "fp32"}
    rows = []
    for one in made:
        other = float32.get((one.exporter.name, one.tile))
        if other is not None and other is not one:
            asked = timing_threads()
            engines = [each.exporter.engine(each.path, asked) for each in (one, other)]
            threads = one.exporter.threads(asked)
            rows.append(advise(one.path.name, engines[0], other.path.name, engines[1], one.tile or SIDE, threads))
    return rows


def _say(path: Path, report: Report) -> None:
    commands.say(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB; {describe(report)}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=commands.prog("export.bundle"), description="Make a bundle of a network.")
    parser.add_argument(
        "programs",
        type=Path,
        nargs="*",
        default=sorted(COMMITTED.glob("*.pt2")),
        metavar="PROGRAM.pt2",
        help="student.pt2, and the student.int8.pt2 made of it; default: those of the shipped model, in a checkout",
    )
    parser.add_argument(
        "-o", "--output", type=Path, help=f"the bundle folder to write, NAME{SUFFIX}; default: in {DIST}/"
    )
    parser.add_argument(
        "--tiles", type=int, nargs="+", metavar="SIDE", help="for engines that need one tile size; default: the middle"
    )
    parser.add_argument("--all", action="store_true", help="for every engine, in every precision and tile size")
    parser.add_argument("--dry-run", action="store_true", help="export and verify every file, but keep nothing")
    arguments = parser.parse_args(argv)
    if not arguments.programs:
        raise ExportError("no program is named; give student.pt2, and the student.int8.pt2 that was made of it")
    metadata = read_metadata(arguments.programs[0])
    wanted = EXPORTERS if arguments.all else USUAL
    absent = {exporter: reason for exporter in wanted if (reason := missing(exporter))}
    for exporter, reason in absent.items():
        commands.say(f"left out: {exporter.name} {exporter.precision}: {reason}")
    exporters = tuple(exporter for exporter in wanted if exporter not in absent)
    tiles = arguments.tiles or (metadata.tiles if arguments.all else [metadata.tiles[len(metadata.tiles) // 2]])
    output = arguments.output or DIST / f"{metadata.name}{SUFFIX}"
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / output.name if arguments.dry_run else output
        advice = bundle(arguments.programs, target, exporters, tiles, _say).manifest.advice
    for row in advice:
        verdict = "recommended" if row["recommended"] else "not recommended"
        commands.say(
            f"{row['file']}: {verdict} here: {row['median_ms']} ms against {row['against_median_ms']} of "
            f"{row['against']} ({row['speedup']}x; {row['side']}x{row['side']})"
        )
    commands.say(f"{output} can be made; nothing was kept" if arguments.dry_run else f"wrote {output}")


if __name__ == "__main__":
    commands.run(main)
