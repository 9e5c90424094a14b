"""The networks that a stage starts from: what the project's trainers wrote (.safetensors), or official files (.pth)."""

from pathlib import Path

from torch import nn

from train.engine import checkpoints
from train.engine.checkpoints import OFFICIAL, Sampling
from train.engine.errors import TrainError
from train.engine.settings import Model
from train.networks.families import AnyAutoencoder, AnyUNet
from train.official import official_autoencoder, official_teacher


def load_teacher(path: Path, model: Model) -> tuple[AnyUNet, Sampling]:
    """The teacher of a file, frozen, and how to sample it; what a .pth holds, and its schedule, is ``model``'s.

    Raises ``TrainError`` where the file cannot be read, or holds another family's network than ``model`` asks for.
    """
    if path.suffix in OFFICIAL:
        return official_teacher(path, model), Sampling(model.diffusion, model.diffusion.steps)
    teacher, sampling = checkpoints.load_unet(path)
    _check_family(path, teacher, model, type(teacher.config) is type(model.family_teacher))
    return teacher, sampling


def load_autoencoder(path: Path, model: Model) -> AnyAutoencoder:
    """The autoencoder of a file, frozen; arguments and errors as of ``load_teacher``."""
    if path.suffix in OFFICIAL:
        return official_autoencoder(path, model)
    autoencoder = checkpoints.load_autoencoder(path)
    _check_family(path, autoencoder, model, type(autoencoder.config) is type(model.family_autoencoder))
    return autoencoder


def _check_family(path: Path, network: nn.Module, model: Model, same: bool) -> None:
    if not same:
        raise TrainError(
            f"{path}: the network in it is {type(network).__name__}, and the preset is of the {model.family} family; "
            "give another file, or the --preset that this one belongs to"
        )


def start_from(loaded: AnyUNet, network: AnyUNet, path: Path) -> None:
    """Copy the weights that ``path`` held into a network. Raises ``TrainError`` where its sizes are others."""
    if loaded.config != network.config or loaded.latent_channels != network.latent_channels:
        raise TrainError(f"{path}: a network of other sizes; give the --preset that it was made with")
    network.load_state_dict(loaded.state_dict())
