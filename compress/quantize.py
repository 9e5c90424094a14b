"""``python -m compress.quantize``: the folded program in INT8, calibrated and then finetuned.

Writes ``student.int8.pt2`` of free size and ``student.int8.TILE.pt2`` of every tile size, with the same weights and
scales, ``program.json`` beside them, and ``sensitivity.json``: what INT8 costs in every convolution.
"""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.fx import GraphModule

from compress.folding.programs import export_free, export_static, save_program
from compress.quantization.calibrated import calibrated
from compress.quantization.calibration import calibration_tiles
from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.settings import QuantizeSettings, check
from compress.quantization.source import open_float
from compress.quantization.task import QuantizeTask
from compress.reporting.measure import check_report, measure, summary
from compress.reporting.results import REPORT_FILE, read_report
from tadsr import commands
from tadsr.program import ProgramMetadata, program_name
from train.data.teacher_samples import file_hash
from train.engine.loop import train
from train.engine.processes import is_first
from train.engine.run_folder import open_run
from train.engine.settings import parse
from train.engine.sources import seen_licences, training_data
from train.evaluation.predictors import open_predictor


def write_programs(graph: GraphModule, card: ProgramMetadata, folder: Path) -> Path:
    """The INT8 program for every size, and the card beside them -> the one of free size."""
    programs = {None: export_free(graph, card.align)} | {tile: export_static(graph, tile) for tile in card.tiles}
    for tile, program in programs.items():
        save_program(program, folder / program_name(tile, "int8"))
    card.write(folder)
    return folder / program_name(precision="int8")


def add_row(stage: str, program: Path, settings: QuantizeSettings, baseline: str | None) -> None:
    """Measure a program on the pairs as this stage's row, where a report is asked for."""
    if settings.pairs is None or settings.report is None:
        return
    provenance = {"command": commands.typed("compress.quantize"), "seed": settings.seed}
    predictor = open_predictor(program)
    row = measure(stage, predictor, settings.pairs, settings.report, baseline=baseline, provenance=provenance)
    commands.say(f"{settings.report}: {summary(row)}")


def _is_measured(stage: str, report: Path) -> bool:
    return (report / REPORT_FILE).is_file() and stage in read_report(report).stages


def _described(card: ProgramMetadata, settings: QuantizeSettings, steps: int) -> ProgramMetadata:
    finetuning = {"steps": steps, "batch": settings.batch, "lr": settings.lr, "seed": settings.seed}
    quantisation: dict[str, Any] = {
        "command": commands.typed("compress.quantize"),
        "program": {"file": settings.program.name, "sha256": file_hash(settings.program)},
        "calibration": settings.calibration,
        "finetuning": finetuning,
        "photos": f"licences: {seen_licences(settings)}",
    }
    return replace(card, provenance={**card.provenance, "quantisation": quantisation})


def main() -> None:
    settings = parse(QuantizeSettings, "compress.quantize", "Quantise the folded program to INT8 and finetune it.")
    check(settings)
    check_report(settings.pairs, settings.report)
    graph, card = open_float(settings.program)
    dataset = training_data(settings)
    tiles = calibration_tiles(dataset, settings, settings.calibration)
    if is_first():
        open_run(settings)  # a run with other settings keeps its programs
    exact = copy.deepcopy(graph)
    student = calibrated(graph, tiles, settings)
    path = write_programs(student.converted(tiles[0]), _described(card, settings, 0), settings.out)
    if settings.report is not None and not _is_measured("folded", settings.report):
        add_row("folded", settings.program, settings, None)
    add_row("ptq", path, settings, "folded")
    if not settings.ptq:
        trained, steps = train(QuantizeTask(settings, exact, student), settings, dataset)
        if not is_first():
            return
        assert isinstance(trained, FakeQuantised)
        write_programs(trained.converted(tiles[0]), _described(card, settings, steps), settings.out)
        add_row("qat", path, settings, "folded")
    commands.say(f"wrote {path}, and one for every tile size beside it")


if __name__ == "__main__":
    commands.run(main, resumes=True)
