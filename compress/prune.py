"""``python -m compress.prune``: the autoencoder's decoder with fewer channels, finetuned on the student's latents.

Writes ``autoencoder.safetensors``, which every stage takes in the place of the full one.
"""

from torch.utils.data import Dataset

from compress.pruning.part import Part
from compress.pruning.settings import PruneSettings
from compress.pruning.task import PruneTask
from runtime import commands
from train.data import Sample
from train.loop import train
from train.processes import is_first
from train.settings import parse
from train.sources import training_crops
from train.teacher_samples import TeacherSamples, holds_samples


def pruning_data(settings: PruneSettings) -> Dataset[Sample]:
    """Crops of photos, or the pictures of a folder of the teacher's samples."""
    if holds_samples(settings.photos):
        return TeacherSamples(settings.photos, settings.seed)
    return training_crops(settings)


def summary(full: Part, pruned: Part) -> str:
    """What was pruned away, in one line."""
    macs, sizes = [[part.macs() for part in (full, pruned)], [part.size for part in (full, pruned)]]
    return (
        f"{full.name}: {sizes[0]:,} -> {sizes[1]:,} parameters, {macs[0]:,} -> {macs[1]:,} MACs per latent position "
        f"({macs[1] / macs[0]:.1%})"
    )


def main() -> None:
    settings = parse(PruneSettings, "compress.prune", "Prune the autoencoder's decoder and finetune what is left.")
    dataset = pruning_data(settings)
    task = PruneTask(settings, dataset)
    trained, _ = train(task, settings, dataset)
    if not is_first():
        return
    assert isinstance(trained, Part)
    commands.say(summary(task.full, trained))
    commands.say(f"wrote {settings.out / 'autoencoder.safetensors'}")


if __name__ == "__main__":
    commands.run(main)
