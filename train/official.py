"""Official ResShift, SinSR and VQ-GAN checkpoints (``.pth``), read without running anything that lies in them.

``python -m train.official`` turns one into the .safetensors that every stage takes.
"""

import argparse
import logging
import pickle
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tadsr import commands
from train.engine.checkpoints import describe, save_network
from train.engine.errors import TrainError
from train.engine.settings import Model, preset_model
from train.networks.families import AnyAutoencoder, AnyUNet, build_autoencoder, build_unet

PREFIXES = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile put before every name."""
DERIVED = ("attn_mask", "relative_position_index")
"""Last parts of the names of buffers that follow from the network's sizes; those of a file are not looked at."""
NAMED = 3
"""How many names an error gives of each kind."""

log = logging.getLogger(__name__)


def read_official(path: Path) -> dict[str, Tensor]:
    """The weights of a file: a bare state_dict or {"state_dict": ...}, names without ``PREFIXES``.

    Raises ``TrainError`` where the file is missing, damaged, holds code, or holds no weights.
    """
    if not path.is_file():
        raise TrainError(f"{path}: no such file; give the path of an official .pth checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainError(
            f"{path}: not a checkpoint of plain tensors ({reason[:150]}); nothing in it was run: download it again"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise TrainError(f"{path}: holds a {type(content).__name__}, not a state_dict")
    weights = {_bare(str(name)): value for name, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        raise TrainError(f"{path}: holds no weights, only {', '.join(map(str, list(content)[:NAMED])) or 'nothing'}")
    return weights


def load_official(network: nn.Module, path: Path) -> None:
    """Fill ``network`` with the weights of an official checkpoint.

    Weights that the network does not have are logged and ignored, as the official loader does; so are ``DERIVED``
    buffers, silently. Raises ``TrainError`` as ``read_official``, and where a weight is missing or misshapen.
    """
    weights = {name: value for name, value in read_official(path).items() if not _derived(name)}
    wanted = {name: value for name, value in network.state_dict().items() if not _derived(name)}
    missing = [name for name in wanted if name not in weights]
    extra = [name for name in weights if name not in wanted]
    misshapen = [
        f"{name} is {list(weights[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if missing or misshapen:
        kinds = {"missing": missing, "misshapen": misshapen, "extra": extra}
        faults = ", ".join(_some(kind, names) for kind, names in kinds.items() if names)
        raise TrainError(f"{path}: does not fit {type(network).__name__}: {faults}; choose another preset")
    if extra:
        log.warning("%s: ignored what the network does not have: %s", path, _some("extra", extra))
    network.load_state_dict({name: weights[name] for name in wanted}, strict=False)


def official_teacher(path: Path, model: Model) -> AnyUNet:
    """``model``'s teacher with an official checkpoint's weights, frozen. Raises ``TrainError`` as ``load_official``."""
    network = build_unet(model.family_teacher, model.family_autoencoder.latent_channels)
    load_official(network, path)
    return network.eval().requires_grad_(False)


def official_autoencoder(path: Path, model: Model) -> AnyAutoencoder:
    """``model``'s autoencoder with an official checkpoint's weights, frozen; errors as of ``official_teacher``."""
    network = build_autoencoder(model.family_autoencoder)
    load_official(network, path)
    return network.eval().requires_grad_(False)


def _teacher(path: Path, model: Model) -> tuple[nn.Module, dict[str, Any]]:
    extra = {"diffusion": asdict(model.diffusion), "sampling": {"steps": model.diffusion.steps}}
    return official_teacher(path, model), extra


def _autoencoder(path: Path, model: Model) -> tuple[nn.Module, dict[str, Any]]:
    return official_autoencoder(path, model), {}


READERS: dict[str, Callable[[Path, Model], tuple[nn.Module, dict[str, Any]]]] = {
    "teacher": _teacher,
    "autoencoder": _autoencoder,
}
"""What a checkpoint can be read as -> its network, and what our file says beside the network's sizes."""


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return _bare(name.removeprefix(prefix))
    return name


def _derived(name: str) -> bool:
    return name.rpartition(".")[2] in DERIVED


def _some(kind: str, names: Collection[str]) -> str:
    first = ", ".join(list(names)[:NAMED])
    return f"{len(names)} {kind} ({first}{', ...' if len(names) > NAMED else ''})"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog=commands.prog("train.official"),
        description="Turn an official checkpoint into the .safetensors that every stage takes.",
        epilog="example: python -m train.official resshift.pth --preset reference --as teacher -o teacher.safetensors",
    )
    parser.add_argument("file", type=Path, help="the .pth file; nothing in it is run")
    parser.add_argument("--preset", default="reference", help="name or YAML file of the preset whose network it holds")
    parser.add_argument("--as", dest="part", choices=READERS, required=True, help="which of the preset's networks")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .safetensors file to write")
    arguments = parser.parse_args(argv)
    network, extra = READERS[arguments.part](arguments.file, preset_model(arguments.preset))
    save_network(arguments.output, network.state_dict(), describe(network, **extra))
    commands.say(f"wrote {arguments.output}")


if __name__ == "__main__":
    commands.run(main)
