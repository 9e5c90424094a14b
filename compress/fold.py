"""``python -m compress.fold``: fold a finetuned student, its LR encoder and its decoder into static graphs.

Writes programs, picture in and picture out, and ``program.json`` beside them: ``student.pt2`` of free batch, height and
width, and ``student.TILE.pt2`` for one picture of every tile size that suits, from the same weights.
"""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compress.folding.deployed import Deployed, fold
from compress.folding.networks import Networks, load_networks, load_student
from compress.folding.programs import count_macs, export_free, export_static, save_program
from compress.folding.radius import effective_radius, receptive_radius
from compress.folding.reference import DeployedReference, fold_reference
from compress.folding.rows import add_rows
from compress.folding.settings import FoldSettings
from compress.reporting.measure import check_report, summary
from tadsr import commands
from tadsr.program import ProgramMetadata, program_name
from train.data.crops import Picture, random_crop
from train.data.teacher_samples import file_hash
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import OFFICIAL, Sampling, network_identity
from train.engine.errors import TrainError
from train.engine.pretrained import load_autoencoder
from train.engine.settings import parse
from train.engine.sources import seen_licences, some_photos
from train.networks.swin_unet import SwinUNet
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder

TILES = [128, 256, 512]


def write_programs(network: Deployed, settings: FoldSettings, command: str) -> list[Path]:
    """Measure the radii on photos and write the programs and their metadata into ``settings.out`` -> their paths."""
    align, scale = network.student.stride, settings.model.scale
    radius = receptive_radius(network, align, scale)
    photos = measuring_crops(some_photos(settings, 12))
    visible = effective_radius(network, photos, align, scale, radius)
    program_metadata = ProgramMetadata(
        name=settings.name,
        scale=scale,
        align=align,
        receptive_radius=radius,
        effective_radius=visible,
        tiles=[tile for tile in TILES if tile > 2 * visible],
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_pixel=count_macs(network),
        licence=settings.licence,
        provenance={
            "method": "TAD-SR (arXiv 2408.07476), finetuned and folded for z_T = z_y",
            "photos": f"licences: {seen_licences(settings)}",
            **_sources(settings, ("autoencoder", "student", "lr_encoder", "decoder"), command),
        },
    )
    programs = {settings.out / program_name(): export_free(network, align)}
    programs |= {settings.out / program_name(tile): export_static(network, tile) for tile in program_metadata.tiles}
    for path, program in programs.items():
        save_program(program, path)
    program_metadata.write(settings.out)
    return list(programs)


def write_reference(network: DeployedReference, settings: FoldSettings, command: str) -> list[Path]:
    """Write the one program of ResShift's own network and its metadata into ``settings.out`` -> its path."""
    align = network.student.stride * network.student.config.lq_factor
    program_metadata = ProgramMetadata(
        name=settings.name,
        scale=network.scale,
        align=align,
        receptive_radius=settings.tile,
        effective_radius=settings.tile,
        tiles=[settings.tile],
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_pixel=count_macs(network, settings.tile),
        licence=settings.licence,
        provenance={
            "method": "ResShift's network after one-step distillation, folded with constant noise",
            "noise": {"seed": settings.seed},
            **_sources(settings, ("autoencoder", "student"), command),
        },
    )
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / program_name(settings.tile)
    save_program(export_static(network, settings.tile), path)
    program_metadata.write(settings.out)
    return [path]


def _sources(settings: FoldSettings, names: Sequence[str], command: str) -> dict[str, Any]:
    files = {name: getattr(settings, name) for name in names}
    known = {name: _identity(path) for name, path in files.items() if path is not None}
    return {**known, "command": command, "torch": metadata.version("torch")}


def _identity(path: Path) -> dict[str, Any]:
    if path.suffix in OFFICIAL:
        return {"file": path.name, "sha256": file_hash(path)}
    return network_identity(path)


def measuring_crops(photos: list[Picture], side: int = 256) -> list[Tensor]:
    """Crops [1, 3, side, side] in [0, 1] of photos, degraded by nothing but their own JPEG."""
    rng = np.random.default_rng(0)
    crops = [random_crop(photo, side, rng) for photo in photos]
    return [torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].float() / 255 for crop in crops]


def _mobile(settings: FoldSettings, networks: Networks, command: str) -> list[Path]:
    """A mobile student, in the latents of either autoencoder: folded, written, measured."""
    check_report(settings.pairs, settings.report)
    settings.out.mkdir(parents=True, exist_ok=True)
    network = fold(networks.decoder, networks.student, networks.lr_encoder, networks.schedule, networks.scale)
    paths = write_programs(network, settings, command)
    if settings.pairs is not None and settings.report is not None:
        provenance = {"command": command, "seed": settings.seed}
        for row in add_rows(networks, paths[0], settings.pairs, settings.report, provenance):
            commands.say(f"{settings.report}: {summary(row)}")
    return paths


def _reference(settings: FoldSettings, student: SwinUNet, sampling: Sampling, command: str) -> list[Path]:
    """ResShift's own network: folded and written."""
    if settings.pairs is not None or settings.report is not None:
        raise TrainError("--report: rows are of programs of free size, and this student's is of one; leave it out")
    autoencoder = load_autoencoder(settings.autoencoder, settings.model)
    if not isinstance(autoencoder, VQAutoencoder):
        raise TrainError(f"{settings.autoencoder}: this student belongs to a VQ autoencoder; give its file")
    network = fold_reference(autoencoder, student, make_schedule(sampling.diffusion), settings.tile, settings.seed)
    return write_reference(network, settings, command)


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(FoldSettings, "compress.fold", "Fold a finetuned student into static graphs.", argv)
    command = commands.typed("compress.fold", argv)
    student, sampling = load_student(settings)
    if isinstance(student, SwinUNet):
        paths = _reference(settings, student, sampling, command)
    else:
        assert isinstance(student, UNet)
        paths = _mobile(settings, load_networks(settings, student, sampling), command)
    for path in paths:
        commands.say(f"wrote {path}")


if __name__ == "__main__":
    commands.run(main)
