"""A preset, photos and networks so small that a whole run of any stage takes seconds."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image

from train.checkpoints import describe, save_network
from train.diffusion import ScheduleConfig
from train.drawn import draw
from train.networks.autoencoder import Autoencoder, AutoencoderConfig
from train.networks.lr_encoder import LREncoderConfig
from train.networks.unet import UNet, UNetConfig

AUTOENCODER = AutoencoderConfig(
    latent_channels=3, encoder_width=8, encoder_blocks=1, decoder_width=8, decoder_blocks=1, decoder_fine_width=4
)
TEACHER = UNetConfig(widths=(8, 12), blocks=(1, 1), time_features=16)
STUDENT = UNetConfig(widths=(8, 8), blocks=(1, 1), time_features=16)
LR_ENCODER = LREncoderConfig(width=8, blocks=1)


def write_photos(folder: Path, count: int = 4, side: int = 96) -> Path:
    """Pictures that the project draws itself, as PNG."""
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(draw(np.random.default_rng(i), side)).save(folder / f"{i}.png")
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
