"""A preset, photos and networks so small that a whole run of any stage takes seconds."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image

from tests.reference.seeded_weights import seed_network
from train.data.synthetic import draw_synthetic
from train.diffusion.schedule import ScheduleConfig
from train.engine.checkpoints import describe, save_network
from train.engine.presets import PRESETS
from train.engine.run_folder import plain
from train.networks.autoencoder import Autoencoder, AutoencoderConfig
from train.networks.lr_encoder import LREncoder, LREncoderConfig
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.unet import UNet, UNetConfig
from train.networks.vq import DDConfig, VQAutoencoder, VQConfig

AUTOENCODER = AutoencoderConfig(
    latent_channels=3, encoder_width=8, encoder_blocks=1, decoder_width=8, decoder_blocks=1, decoder_fine_width=4
)
TEACHER = UNetConfig(widths=(8, 12), blocks=(1, 1), time_features=16)
STUDENT = UNetConfig(widths=(8, 8), blocks=(1, 1), time_features=16)
LR_ENCODER = LREncoderConfig(width=8, blocks=1)
VQ = VQConfig(embed_dim=3, n_embed=64, ddconfig=DDConfig(ch=32, ch_mult=(1, 1, 1), num_res_blocks=1))
SWIN = SwinUNetConfig(
    image_size=16,
    model_channels=32,
    attention_resolutions=(16, 8),
    channel_mult=(1, 2),
    num_res_blocks=1,
    num_head_channels=16,
    swin_embed_dim=32,
    mlp_ratio=2,
    lq_size=16,
)
FACE_VQ = VQConfig(  # the official one's levels and blocks, narrower
    embed_dim=8, n_embed=64, ddconfig=DDConfig(32, (1, 1, 1, 2), (1, 2, 3, 4), z_channels=8, resolution=512)
)
FACE_SWIN = replace(SWIN, image_size=16, in_channels=8, out_channels=8, lq_size=128)
RESSHIFT = {"reference": (VQ, SWIN), "face": (FACE_VQ, FACE_SWIN)}
"""The networks of the presets of ResShift's family, reduced."""


def write_photos(folder: Path, count: int = 4, side: int = 96) -> Path:
    """Pictures that the project draws itself, as PNG."""
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(draw_synthetic(np.random.default_rng(i), side)).save(folder / f"{i}.png")
    return folder


def write_preset(path: Path) -> Path:
    """A preset of the smallest networks, four diffusion steps and crops of 64 pixels."""
    preset = {
        "model": {
            "diffusion": {"steps": 4, "min_noise": 0.2},
            "autoencoder": vars(AUTOENCODER),
            "teacher": {"widths": [8, 12], "blocks": [1, 1], "time_features": 16},
            "student": {"widths": [8, 8], "blocks": [1, 1], "time_features": 16},
            "lr_encoder": vars(LR_ENCODER),
        },
        "data": {"crop": 64},
        "distill": {"paper": {"heads": {"width": 32, "time_features": 16}}},
    }
    path.write_text(yaml.safe_dump(preset), encoding="utf-8")
    return path


def write_networks(folder: Path) -> Path:
    """autoencoder, teacher and student.safetensors with random weights, as trainers with that preset write them."""
    torch.manual_seed(0)
    autoencoder, teacher, student = Autoencoder(AUTOENCODER), UNet(TEACHER, 3), UNet(STUDENT, 3)
    for network in (teacher, student):
        torch.nn.init.normal_(network.conv_out.weight, std=0.1)
    diffusion = asdict(ScheduleConfig(steps=4, min_noise=0.2))
    headers = {
        "autoencoder": describe(autoencoder),
        "teacher": describe(teacher, diffusion=diffusion, sampling={"steps": 4}),
        "student": describe(student, diffusion=diffusion, sampling={"steps": 1}),
    }
    for name, network in (("autoencoder", autoencoder), ("teacher", teacher), ("student", student)):
        save_network(folder / f"{name}.safetensors", network.state_dict(), headers[name])
    return folder


def write_lr_encoder(path: Path, latent_channels: int = 3) -> Path:
    """An LR encoder with random weights."""
    network = LREncoder(LR_ENCODER, latent_channels)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    save_network(path, network.state_dict(), describe(network))
    return path


def write_reduced_preset(path: Path, name: str, crop: int) -> Path:
    """The ``reference`` or ``face`` preset with reduced networks and crops, and otherwise as it is shipped."""
    preset = yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))
    vq, swin_unet = RESSHIFT[name]
    student = {"widths": [8, 8], "blocks": [1, 1], "time_features": 16}
    preset["model"] |= {"vq": plain(asdict(vq)), "swin_unet": plain(asdict(swin_unet)), "student": student}
    preset["data"]["crop"] = crop
    preset["distill"]["paper"] = {"heads": {"width": 32, "time_features": 16}}
    path.write_text(yaml.safe_dump(preset), encoding="utf-8")
    return path


def write_official(folder: Path, name: str) -> None:
    """teacher.pth and autoencoder.pth in the official layout for that reduced preset, with random weights."""
    vq, swin_unet = RESSHIFT[name]
    write_official_networks(folder, swin_unet, vq)


def write_official_networks(folder: Path, swin_unet: SwinUNetConfig, vq: VQConfig) -> None:
    """The same for any sizes."""
    networks = {"teacher": SwinUNet(swin_unet), "autoencoder": VQAutoencoder(vq)}
    for part, network in networks.items():
        weights = {**network.state_dict(), **seed_network(network, 7, rounded=False)}
        torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, folder / f"{part}.pth")
