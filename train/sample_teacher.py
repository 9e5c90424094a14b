"""``python -m train.sample_teacher``: put the teacher's samples on disk, for distillations that then need not sample.

``python -m train.distill --photos FOLDER`` takes the folder that this writes. It holds one file per batch, so a stopped
command goes on where it was.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from lightning_fabric import Fabric
from numpy.random import SeedSequence
from torch import Tensor

from runtime.atomic import replacing
from tadsr import commands
from train.data.crops import loader
from train.data.teacher_samples import DESCRIPTION, file_hash, holds_samples, read_description, samples_file
from train.diffusion.latents import condition
from train.diffusion.process import prior_sample
from train.distill import DistillSettings, DistillTask
from train.engine.checkpoints import save_tensors
from train.engine.errors import TrainError
from train.engine.presets import flatten, renamed
from train.engine.progress import Steps
from train.engine.run_folder import plain
from train.engine.settings import parse
from train.engine.sources import training_crops


def write_samples(settings: DistillSettings) -> None:
    """Sample the teacher on ``settings.steps`` batches of crops into ``settings.out``; files that are there are kept.

    Raises ``TrainError`` where the folder holds samples of other settings, or cannot be written.
    """
    out, description = settings.out, _describe(settings)
    if holds_samples(out) and renamed(flatten(read_description(out))) != flatten(description):
        raise TrainError(f"{out}: holds samples made with other settings; give the same to go on, or another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / DESCRIPTION) as draft:
            draft.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    todo = [batch for batch in range(settings.steps) if not samples_file(out, batch).exists()]
    start = todo[0] if todo else settings.steps
    batches = loader(training_crops(settings), settings.batch, start, settings.steps - start, settings.workers)
    sample = _Sampler(settings)
    with Steps("sample_teacher", settings.steps, start) as progress:
        for number, crops in enumerate(batches, start):
            save_tensors(samples_file(out, number), sample(crops, number), {})
            progress.show(number + 1, {})


class _Sampler:
    def __init__(self, settings: DistillSettings) -> None:
        self._task = DistillTask(settings)
        self._fabric = Fabric(accelerator=settings.device, devices=1, precision=settings.precision)
        self._task.to(self._fabric.device)
        self._seed = settings.seed

    @torch.no_grad()
    def __call__(self, crops: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
        """The pictures in 8 bits, which is what they are made of; latents in 16, the noise rounded before its use."""
        state = int(SeedSequence([self._seed, number]).generate_state(1, "uint64")[0])
        with self._fabric.autocast():
            conditions = condition(self._task.autoencoder, crops["lq"].to(self._fabric.device), self._task.scale)
            noise = torch.randn(conditions.z_y.shape, generator=torch.Generator().manual_seed(state % 2**63)).half()
            teacher_z_0 = self._task.sample_teacher(
                conditions, prior_sample(self._task.schedule, conditions.z_y, noise.to(conditions.z_y))
            )
        pictures = {name: (crops[name] * 255).round().to(torch.uint8) for name in ("hq", "lq")}
        return pictures | {"noise": noise, "teacher_z_0": teacher_z_0.half().cpu()}


def _describe(settings: DistillSettings) -> dict[str, Any]:
    """What the samples depend on; the photos are left out, since they may have moved."""
    chosen = {name: getattr(settings, name) for name in ("licences", "seed", "batch")}
    crops = {"data": plain(asdict(settings.data)), "degradation": plain(asdict(settings.degradation))}
    weights = {"teacher": file_hash(settings.teacher), "autoencoder": file_hash(settings.autoencoder)}
    return {"batches": settings.steps, **chosen, **crops, **weights}


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(DistillSettings, "train.sample_teacher", "Write --steps batches of the teacher's samples.", argv)
    write_samples(settings)
    commands.say(f"wrote {settings.steps * settings.batch} samples to {settings.out}")


if __name__ == "__main__":
    commands.run(main, resumes=True)
