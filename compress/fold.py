"""``python -m compress.fold``: finetune the student as deployed, then fold everything into one static graph.

Writes ``student.pt2`` (image in, image out; free batch, height and width) and ``program.json`` beside it.
"""

import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from compress.deployed import Deployed, fold
from compress.finetune import FinetuneTask, FoldSettings, LRStudent
from compress.radius import effective_radius, receptive_radius
from runtime import commands
from runtime.atomic import replacing
from runtime.program import ProgramCard
from train.checkpoints import network_identity
from train.data import Picture, random_crop
from train.loop import train
from train.processes import is_first
from train.settings import SCALE, parse
from train.sources import some_photos, training_crops

TILES = [128, 256, 512]


def export_program(network: Deployed) -> ExportedProgram:
    """The graph with free batch, height and width; heights and widths must be multiples of the student's stride."""
    align = network.student.stride
    example = torch.rand(2, 3, 16 * align, 24 * align)  # every free size differs, so that none is taken for another
    free = {"lr": {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}
    return torch.export.export(network.eval(), (example,), dynamic_shapes=free)


def count_macs(network: nn.Module, side: int = 64) -> int:
    """Multiply-accumulates of the convolutions per LR pixel."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += output[0].numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return round(total / side**2)


def write_program(network: Deployed, settings: FoldSettings, steps: int) -> Path:
    """Measure the radii on photos and write ``student.pt2`` and ``program.json`` into the run's folder.

    ``steps`` are those of the finetuning that were done.
    """
    align = network.student.stride
    radius = receptive_radius(network, align, SCALE)
    photos = measuring_crops(some_photos(settings, 12))
    visible = effective_radius(network, photos, align, SCALE, radius)
    card = ProgramCard(
        name=settings.name,
        scale=SCALE,
        align=align,
        receptive_radius=radius,
        effective_radius=visible,
        tiles=[tile for tile in TILES if tile > 2 * visible],
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_pixel=count_macs(network),
        licence=settings.licence,
        provenance={
            "method": "TAD-SR (arXiv 2408.07476), finetuned and folded for z_T = z_y",
            "finetuning": {"steps": steps, "batch": settings.batch, "lr": settings.lr, "seed": settings.seed},
            "photos": f"licences: {settings.licences}",
            "autoencoder": network_identity(settings.autoencoder),
            "student": network_identity(settings.student),
            "torch": metadata.version("torch"),
        },
    )
    path = settings.out / "student.pt2"
    with replacing(path) as draft, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(export_program(network), draft)
    card.write(settings.out)
    return path


def measuring_crops(photos: list[Picture], side: int = 256) -> list[Tensor]:
    """Crops [1, 3, side, side] in [0, 1] of photos, degraded by nothing but their own JPEG."""
    rng = np.random.default_rng(0)
    crops = [random_crop(photo, side, rng) for photo in photos]
    return [torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].float() / 255 for crop in crops]


def main() -> None:
    settings = parse(FoldSettings, "compress.fold", "Finetune the student as deployed and fold it into one graph.")
    task = FinetuneTask(settings)
    trained, steps = train(task, settings, training_crops(settings))
    if not is_first():
        return
    assert isinstance(trained, LRStudent)
    trained.cpu()
    network = fold(task.autoencoder.cpu(), trained.student, trained.lr_encoder, task.schedule)
    path = write_program(network, settings, steps)
    commands.say(f"wrote {path}")


if __name__ == "__main__":
    commands.run(main)
