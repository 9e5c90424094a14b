"""Weights on disk: one safetensors file per network, which says in its header how to build that network again."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from runtime.atomic import replacing
from train.diffusion.schedule import ScheduleConfig
from train.engine.errors import TrainError
from train.networks.autoencoder import Autoencoder, AutoencoderConfig
from train.networks.families import AnyAutoencoder, AnyUNet
from train.networks.lr_encoder import LREncoder, LREncoderConfig
from train.networks.narrow import layer_widths, narrow
from train.networks.static_decoder import StaticDecoder, empty_static_decoder
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.unet import UNet, UNetConfig
from train.networks.vq import VQAutoencoder, VQConfig

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "autoencoder": lambda config, **rest: Autoencoder(AutoencoderConfig(**config)),
    "unet": lambda config, latent_channels, **rest: UNet(UNetConfig(**_tuples(config)), latent_channels),
    "lr_encoder": lambda config, latent_channels, **rest: LREncoder(LREncoderConfig(**config), latent_channels),
    "vq": lambda config, **rest: VQAutoencoder(VQConfig.from_official(config)),
    "swin_unet": lambda config, **rest: SwinUNet(SwinUNetConfig.from_official(config)),
    "static_decoder": lambda config, made_of, **rest: empty_static_decoder(
        VQConfig.from_official(config), {name: (inputs, outputs) for name, (inputs, outputs) in made_of.items()}
    ),
}
"""How a network is built from the description in its file's header."""

KINDS: dict[type[nn.Module], str] = {
    Autoencoder: "autoencoder",
    UNet: "unet",
    LREncoder: "lr_encoder",
    VQAutoencoder: "vq",
    SwinUNet: "swin_unet",
    StaticDecoder: "static_decoder",
}
OFFICIAL = (".pth", ".pt", ".ckpt")
"""Suffixes of checkpoints that do not say how to build their network: that is a preset's to say."""
AUTOENCODERS = ("autoencoder", "vq")
UNETS = ("unet", "swin_unet")


def describe(network: nn.Module, **extra: Any) -> dict[str, Any]:
    """What a file's header says of its network: kind, sizes, latent channels, and ``extra`` (JSON-able).

    Of layers that are narrower than the sizes say, as pruning leaves them, it names the widths.
    """
    config = asdict(network.config)  # type: ignore[call-overload]
    latent_channels = getattr(network, "latent_channels", config.get("latent_channels"))
    sizes = {"kind": KINDS[type(network)], "config": config, "latent_channels": latent_channels}
    if isinstance(network, StaticDecoder):
        return sizes | {"made_of": network.widths} | extra
    with torch.device("meta"):
        full = layer_widths(_built(sizes))
    narrower = {name: widths for name, widths in layer_widths(network).items() if widths != full[name]}
    return sizes | ({"widths": narrower} if narrower else {}) | extra


def save_network(path: Path, weights: Mapping[str, Tensor], description: Mapping[str, Any], half: bool = False) -> None:
    """Write weights and description atomically; ``half`` stores floats as fp16, for files that are published."""
    tensors = {k: v.detach().cpu() for k, v in weights.items()}
    if half:
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    save_tensors(path, tensors, {"network": json.dumps(description)})


def network_kind(path: Path, *wanted: str) -> str:
    """The kind of the network in a file, one of ``wanted``. Raises ``TrainError`` as ``load_network``."""
    _, description = _read_network(path, *wanted)
    return str(description["kind"])


def network_identity(path: Path) -> dict[str, Any]:
    """What a network's file says of it, and the file's SHA-256: for the record of what was made of it."""
    _, description = _read_network(path, *BUILDERS)
    return {**description, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def load_network(path: Path, *kinds: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a file, one of ``kinds``, in float32, in eval mode, and its description.

    Raises ``TrainError`` where the file is missing, damaged, of another kind, or does not fit its own description.
    """
    tensors, description = _read_network(path, *kinds)
    network = _built(description)
    try:
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as error:
        raise TrainError(f"{path}: weights do not fit the network it describes ({_one_line(error)})") from error
    return network.eval(), description


def load_autoencoder(path: Path) -> AnyAutoencoder:
    """The autoencoder of a file, frozen. Raises ``TrainError`` as ``load_network``."""
    network, _ = load_network(path, *AUTOENCODERS)
    assert isinstance(network, AnyAutoencoder)
    return network.requires_grad_(False)


@dataclass(frozen=True)
class Sampling:
    """How a teacher or student was trained to be sampled."""

    diffusion: ScheduleConfig
    """Its noise schedule."""
    steps: int
    """Network calls: all of the schedule's for a teacher, 1 for a student."""
    noise: float = 1.0
    """Standard deviation of the prior's noise: 1, or 0 for a student that was finetuned to live without."""


def load_unet(path: Path) -> tuple[AnyUNet, Sampling]:
    """Teacher or student of a file, frozen, and how to sample it. Raises ``TrainError`` as ``load_network``."""
    network, description = load_network(path, *UNETS)
    assert isinstance(network, AnyUNet)
    sampling = Sampling(ScheduleConfig(**description["diffusion"]), **description["sampling"])
    return network.requires_grad_(False), sampling


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write to a temporary file beside ``path``, then rename: whatever happens, one whole file is there.

    Raises ``TrainError`` where the file cannot be written (a full disk, say); an earlier file survives.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            save_file({k: v.contiguous() for k, v in tensors.items()}, draft, dict(metadata))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainError(f"{path}: cannot be written ({reason}); free some space or choose another folder") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata of a safetensors file. Raises ``TrainError`` where it is missing or damaged."""
    if not path.is_file():
        raise TrainError(f"{path}: no such file; train that stage first, or give the path of its weights")
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainError(f"{path}: not a whole safetensors file ({error}); restore or make it again") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as flat tensors {"0.exp_avg": ..., "0.step": ...}."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{key}": value for index, values in state.items() for key, value in values.items()}


def load_optimiser_tensors(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimiser_tensors`` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _built(description: Mapping[str, Any]) -> nn.Module:
    network = BUILDERS[description["kind"]](**{k: v for k, v in description.items() if k != "kind"})
    narrow(network, description.get("widths", {}))
    return network


def _read_network(path: Path, *wanted: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if path.suffix in OFFICIAL:
        raise TrainError(f"{path}: an official checkpoint; make a .safetensors of it with `python -m train.official`")
    tensors, metadata = load_tensors(path)
    if "network" not in metadata:
        raise TrainError(f"{path}: not a network (its header describes none); give one that a trainer wrote")
    description: dict[str, Any] = json.loads(metadata["network"])
    if description.get("kind") not in wanted:
        raise TrainError(
            f"{path}: holds a network of kind {description.get('kind')!r}; needed is {' or '.join(wanted)}"
        )
    return tensors, description


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
