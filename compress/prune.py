"""``python -m compress.prune``: the autoencoder's decoder with fewer channels, finetuned on the student's latents.

Writes ``autoencoder.safetensors``, which every stage takes in the place of the full one.
"""

from dataclasses import replace
from pathlib import Path

from compress.pruning.part import Part
from compress.pruning.predictor import predictor
from compress.pruning.settings import PruneSettings, check
from compress.pruning.task import PruneTask
from compress.reporting.measure import check_report, in_short, measure
from compress.reporting.opened import count_macs
from compress.reporting.rows import Row
from tadsr import commands
from train.engine.loop import train
from train.engine.processes import is_first
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.inputs import StudentLatents


def summary(full: Part, pruned: Part) -> str:
    """What was pruned away, in one line."""
    macs, sizes = [[part.macs() for part in (full, pruned)], [part.size for part in (full, pruned)]]
    return (
        f"{full.name}: {sizes[0]:,} -> {sizes[1]:,} parameters, {macs[0]:,} -> {macs[1]:,} MACs per latent position "
        f"({macs[1] / macs[0]:.1%})"
    )


def measured(task: PruneTask, trained: Part, settings: PruneSettings, pairs: Path, report: Path) -> Row:
    """The row ``pruned``, compared with ``full-decoder``, which is measured before it: the student with either."""
    latents = task.inputs.cpu()
    assert isinstance(latents, StudentLatents)
    encoder = latents.autoencoder.get_submodule("encoder") if latents.lr_encoder is None else latents.lr_encoder
    before = sum(parameter.numel() for part in (encoder, latents.student) for parameter in part.parameters())
    provenance = {"command": commands.typed("compress.prune"), "seed": settings.seed}

    def measure_with(decoder: Part, stage: str, against: str | None, further: dict[str, float]) -> Row:
        restore = predictor(latents, decoder, settings.seed)
        return measure(
            stage,
            restore,
            pairs,
            report,
            against=against,
            size=None,  # two files of different precision; the program's size is that of the row `folded`
            macs_per_pixel=count_macs(restore),
            parameters=before + decoder.size,
            provenance=provenance,
            further=further,
        )

    full, pruned = task.full.cpu(), trained.cpu()
    measure_with(full, "full-decoder", None, {})
    return measure_with(pruned, "pruned", "full-decoder", {"decoder_macs_ratio": pruned.macs() / full.macs()})


def main() -> None:
    settings = parse(PruneSettings, "compress.prune", "Prune the autoencoder's decoder and finetune what is left.")
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
        row = measured(task, trained, settings, settings.pairs, settings.report)
        commands.say(f"{settings.report}: {row.stage}, {in_short(row)}")


if __name__ == "__main__":
    commands.run(main, resumes=True)
