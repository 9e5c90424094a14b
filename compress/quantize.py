"""``python -m compress.quantize``: the folded program in INT8, calibrated and then finetuned.

Writes ``student.int8.pt2`` of free size and ``student.int8.TILE.pt2`` of every tile size, with the same weights and
scales, ``program.json`` beside them, and ``sensitivity.json``: what INT8 costs in every convolution.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.fx import GraphModule

from compress.folding.programs import export_free, export_static, save_program
from compress.quantization.calibration import calibration_tiles
from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.post_training import post_training_quantised
from compress.quantization.settings import QuantizeSettings, check
from compress.quantization.task import QuantizeTask
from compress.reporting.measure import check_report, measure, summary
from compress.reporting.results import REPORT_FILE, read_report
from tadsr import commands
from tadsr.program import ProgramMetadata, open_program, program_name
from train.data.teacher_samples import file_hash
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.processes import is_first
from train.engine.run_folder import open_run
from train.engine.settings import parse
from train.engine.sources import seen_licences, training_data
from train.evaluation.predictors import open_predictor


def write_programs(graph: GraphModule, metadata: ProgramMetadata, folder: Path) -> Path:
    """Write the INT8 program for every size, and the metadata beside them -> the path of the one of free size."""
    save_program(export_free(graph, metadata.align), folder / program_name(precision="int8"))
    for tile in metadata.tiles:
        save_program(export_static(graph, tile), folder / program_name(tile, "int8"))
    metadata.write(folder)
    return folder / program_name(precision="int8")


def open_float(path: Path) -> tuple[GraphModule, ProgramMetadata]:
    """The graph of a float program of free size, and its metadata.

    Raises ``TrainError`` where it is another kind, ``ProgramError`` where it is none.
    """
    program = open_program(path)
    if program.precision == "int8":
        raise TrainError(f"{path}: is in INT8 already; give the float program that `python -m compress.fold` writes")
    if program.tile is not None:
        raise TrainError(
            f"{path}: takes pictures of one size; give the program of free size, {program_name()} "
            "(ResShift's own network has none: its attention and its norms are not quantised)"
        )
    graph = program.exported.module()
    assert isinstance(graph, GraphModule)
    return graph, program.metadata


def add_row(stage: str, program: Path, settings: QuantizeSettings, baseline: str | None, command: str) -> None:
    """Measure a program on the pairs as this stage's row, where a report is asked for."""
    if settings.pairs is None or settings.report is None:
        return
    provenance = {"command": command, "seed": settings.seed}
    predictor = open_predictor(program)
    row = measure(stage, predictor, settings.pairs, settings.report, baseline=baseline, provenance=provenance)
    commands.say(f"{settings.report}: {summary(row)}")


def _is_measured(stage: str, report: Path) -> bool:
    return (report / REPORT_FILE).is_file() and stage in read_report(report).stages


def _described(metadata: ProgramMetadata, settings: QuantizeSettings, steps: int, command: str) -> ProgramMetadata:
    finetuning = {"steps": steps, "batch": settings.batch, "lr": settings.lr, "seed": settings.seed}
    quantisation: dict[str, Any] = {
        "command": command,
        "program": {"file": settings.program.name, "sha256": file_hash(settings.program)},
        "calibration": settings.calibration,
        "finetuning": finetuning,
        "photos": f"licences: {seen_licences(settings)}",
    }
    return replace(metadata, provenance={**metadata.provenance, "quantisation": quantisation})


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(QuantizeSettings, "compress.quantize", "Quantise the folded program to INT8, finetuned.", argv)
    command = commands.typed("compress.quantize", argv)
    check(settings)
    check_report(settings.pairs, settings.report)
    graph, metadata = open_float(settings.program)
    dataset = training_data(settings)
    tiles = calibration_tiles(dataset, settings, settings.calibration)
    if is_first():
        open_run(settings)  # a run with other settings keeps its programs
    exact = copy.deepcopy(graph)
    student = post_training_quantised(graph, tiles, settings)
    path = write_programs(student.converted(tiles[0]), _described(metadata, settings, 0, command), settings.out)
    if settings.report is not None and not _is_measured("folded", settings.report):
        add_row("folded", settings.program, settings, None, command)
    add_row("ptq", path, settings, "folded", command)
    if not settings.ptq:
        trained, steps = train(QuantizeTask(settings, exact, student), settings, dataset)
        if not is_first():
            return
        assert isinstance(trained, FakeQuantised)
        write_programs(trained.converted(tiles[0]), _described(metadata, settings, steps, command), settings.out)
        add_row("qat", path, settings, "folded", command)
    commands.say(f"wrote {path}, and one for every tile size beside it")


if __name__ == "__main__":
    commands.run(main, resumes=True)
