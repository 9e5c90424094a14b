"""``python -m compress.prune``: the autoencoder's decoder with fewer channels, finetuned on the student's latents.

Writes ``autoencoder.safetensors``, which every stage takes in the place of the full one.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compress.pruning.part import Part, student_with
from compress.pruning.settings import PruneSettings, check
from compress.pruning.task import PruneTask
from compress.reporting.measure import check_report, measure
from compress.reporting.measure import summary as row_summary
from compress.reporting.results import StageResult
from tadsr import commands
from train.engine.loop import train
from train.engine.processes import is_first
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.inputs import StudentLatents


def summary(full: Part, pruned: Part) -> str:
    """One line of the sizes before and after."""
    macs, sizes = [[part.macs() for part in (full, pruned)], [part.size for part in (full, pruned)]]
    return (
        f"{full.name}: {sizes[0]:,} -> {sizes[1]:,} parameters, {macs[0]:,} -> {macs[1]:,} MACs per latent position "
        f"({macs[1] / macs[0]:.1%})"
    )


def measured(
    task: PruneTask, trained: Part, settings: PruneSettings, pairs: Path, report: Path, command: str
) -> StageResult:
    """The row ``pruned``, compared with ``full-decoder``, which is measured before it: the student with either."""
    latents = task.inputs.cpu()
    assert isinstance(latents, StudentLatents)
    provenance = {"command": command, "seed": settings.seed}
    full, pruned = task.full.cpu(), trained.cpu()
    unpruned = student_with(latents, full, settings.seed)
    measure("full-decoder", unpruned, pairs, report, baseline=None, provenance=provenance)
    return measure(
        "pruned",
        student_with(latents, pruned, settings.seed),
        pairs,
        report,
        baseline="full-decoder",
        provenance=provenance,
        further={"decoder_macs_ratio": pruned.macs() / full.macs()},
    )


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(PruneSettings, "compress.prune", "Prune the autoencoder's decoder and finetune it.", argv)
    check(settings)
    check_report(settings.pairs, settings.report)
    run = replace(settings, pairs=None, report=None)  # they change nothing of the run, which may be measured later
    dataset = training_data(run)
    task = PruneTask(run, dataset)
    trained, _ = train(task, run, dataset)
    if not is_first():
        return
    assert isinstance(trained, Part)
    commands.say(summary(task.full, trained))
    commands.say(f"wrote {settings.out / 'autoencoder.safetensors'}")
    if settings.pairs is not None and settings.report is not None:
        command = commands.typed("compress.prune", argv)
        row = measured(task, trained, settings, settings.pairs, settings.report, command)
        commands.say(f"{settings.report}: {row_summary(row)}")


if __name__ == "__main__":
    commands.run(main, resumes=True)
