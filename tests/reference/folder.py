"""A folder of goldens: its files, and the networks and schedules that its ``meta.json`` describes."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.reference.seeded_weights import seed_network
from train.diffusion.schedule import Schedule, ScheduleConfig, make_schedule, respace
from train.engine.checkpoints import load_tensors
from train.engine.errors import TrainError
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.vq import VQAutoencoder, VQConfig

ONLY = {
    "schedule_name": "exponential",
    "predict_type": "xstart",
    "normalize_input": True,
    "latent_flag": True,
    "weighted_mse": False,
    "scale_factor": 1.0,
}
"""Settings of the official diffusion that no released model gives another value."""


class Stored(Mapping[str, Tensor]):
    """The arrays of a file, which remembers what has been read of it."""

    def __init__(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        self.metadata = metadata
        self._tensors = tensors
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self._read.add(name)
        return self._tensors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    @property
    def unread(self) -> list[str]:
        return [name for name in self._tensors if name not in self._read]


class GoldenFolder:
    """A folder of goldens. Raises ``TrainError`` where it has no readable ``meta.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.meta: dict[str, Any] = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainError(f"{path / 'meta.json'}: cannot be read ({error}); give a folder of goldens") from error
        self.names = sorted(file.name for file in path.iterdir())
        self._networks: dict[str, nn.Module] = {}

    @cached_property
    def sections(self) -> list[str]:
        """The networks that ``meta.json`` describes, longest names first."""
        networks = [name for name, value in self.meta.items() if isinstance(value, dict) and "config" in value]
        return sorted(networks, key=len, reverse=True)

    def load(self, name: str) -> Stored:
        """A .safetensors or .npz file. Raises ``TrainError`` where it is damaged."""
        path = self.path / name
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                return Stored({key: torch.from_numpy(arrays[key]) for key in arrays.files}, {})
        return Stored(*load_tensors(path))

    def section_of(self, stem: str) -> str:
        """The network that a file is about: "unet_face_recipe" -> "unet_face". Raises ``TrainError`` for none."""
        for section in self.sections:
            if stem == section or stem.startswith(f"{section}_"):
                return section
        raise TrainError(f"meta.json describes no network for {stem}")

    def unet(self, section: str = "unet") -> SwinUNet:
        """A UNet with the folder's weights, in eval mode."""
        network = self._network(section)
        if not isinstance(network, SwinUNet):
            raise TrainError(f"meta.json: {section!r} is not a UNet")
        return network

    def autoencoder(self, section: str = "autoencoder") -> VQAutoencoder:
        """An autoencoder with the folder's weights, in eval mode."""
        network = self._network(section)
        if not isinstance(network, VQAutoencoder):
            raise TrainError(f"meta.json: {section!r} is not an autoencoder")
        return network

    def build(self, section: str) -> nn.Module:
        """A new network of a section. Raises ``TrainError`` where there is none, or its arguments do not fit."""
        if section not in self.sections:
            raise TrainError(f"meta.json describes no network {section!r}")
        config = self.meta[section]["config"]
        if "ddconfig" in config:
            return VQAutoencoder(VQConfig.from_official(config)).eval()
        return SwinUNet(SwinUNetConfig.from_official(config)).eval()

    def weights_file(self, section: str) -> str | None:
        """Name of the file with a section's weights, if there is one."""
        suffix = "_weights.safetensors"
        files = [name for name in self.names if name.endswith(suffix)]
        return next((name for name in files if self.section_of(name.removesuffix(suffix)) == section), None)

    def recipe(self, section: str, network: nn.Module) -> dict[str, Tensor]:
        """A section's weights from its seed."""
        described = self.meta[section]
        return seed_network(network, described["seed"], described.get("weights_rounded_to_half", False))

    def diffusion(self, name: str) -> Schedule:
        """The schedule "s15" or whatever ``meta.json`` calls its diffusions."""
        settings = self._diffusion_settings(name)
        config = ScheduleConfig(
            settings["steps"],
            settings["min_noise_level"],
            settings["etas_end"],
            settings["schedule_kwargs"]["power"],
            settings["kappa"],
        )
        full = make_schedule(config)
        kept = settings.get("timestep_respacing")
        return full if kept is None else respace(full, int(kept))

    def scale(self, name: str) -> int:
        """How many times the LQ picture is enlarged before it is encoded."""
        return int(self._diffusion_settings(name)["sf"])

    def distilled_diffusion(self) -> str:
        """The diffusion that SinSR's sampler and losses are for: the one with a trajectory of it, else the longest."""
        known = self.meta["diffusion"]
        sampled = [name for name in known if f"trajectory_sinsr_deterministic_{name}.safetensors" in self.names]
        return max(sampled or known, key=lambda name: int(known[name]["steps"]))

    def _diffusion_settings(self, name: str) -> dict[str, Any]:
        settings: dict[str, Any] | None = self.meta.get("diffusion", {}).get(name)
        if settings is None:
            raise TrainError(f"meta.json describes no diffusion {name!r}")
        for key, value in ONLY.items():
            if settings.get(key, value) != value:
                raise TrainError(f"meta.json: diffusion {name!r}: {key}={settings[key]!r}; only {value!r} is supported")
        return settings

    def _network(self, section: str) -> nn.Module:
        if section not in self._networks:
            network, file = self.build(section), self.weights_file(section)
            weights = dict(self.load(file)) if file else self.recipe(section, network)
            absent = {name for name, _ in network.named_parameters()} ^ weights.keys()
            if absent:
                raise TrainError(f"{file}: its names are not those of {section!r}: {', '.join(sorted(absent)[:5])}")
            network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
            self._networks[section] = network.requires_grad_(False)
        return self._networks[section]
