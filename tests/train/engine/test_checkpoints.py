"""Weight files: they rebuild their network, and every way of being wrong is one clear line."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tests.tiny import AUTOENCODER, LR_ENCODER, TEACHER
from train.diffusion.schedule import ScheduleConfig
from train.engine import checkpoints
from train.engine.errors import TrainError
from train.networks.autoencoder import Autoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.narrow import narrow
from train.networks.unet import UNet


def save(path: Path, network: torch.nn.Module, half: bool = False) -> Path:
    extra = {"diffusion": asdict(ScheduleConfig(steps=4)), "sampling": {"steps": 1}}
    checkpoints.save_network(path, network.state_dict(), checkpoints.describe(network, **extra), half)
    return path


@pytest.mark.parametrize("network", [Autoencoder(AUTOENCODER), UNet(TEACHER, 3), LREncoder(LR_ENCODER, 3)])
def test_a_file_rebuilds_its_network(network: torch.nn.Module, tmp_path: Path) -> None:
    loaded, _ = checkpoints.load_network(save(tmp_path / "n.safetensors", network), checkpoints.KINDS[type(network)])
    assert not loaded.training
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_description_names_the_widths_of_narrower_layers_only() -> None:
    network = Autoencoder(AUTOENCODER)
    assert "widths" not in checkpoints.describe(network)
    widths = {"decoder.1.conv1": (8, 5), "decoder.1.conv2": (5, 8)}
    narrow(network, widths)
    assert checkpoints.describe(network)["widths"] == widths


def test_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    network = Autoencoder(AUTOENCODER)
    whole, half = (save(tmp_path / f"{h}.safetensors", network, half=h) for h in (False, True))
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    loaded = checkpoints.load_autoencoder(half)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in loaded.parameters())


def test_sampling_comes_with_the_weights(tmp_path: Path) -> None:
    _, sampling = checkpoints.load_unet(save(tmp_path / "n.safetensors", UNet(TEACHER, 3)))
    assert sampling == checkpoints.Sampling(ScheduleConfig(steps=4), 1)


def test_wrong_kind_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "n.safetensors", UNet(TEACHER, 3))
    with pytest.raises(TrainError, match="'unet'; needed is autoencoder"):
        checkpoints.load_autoencoder(path)
    with pytest.raises(TrainError, match="no such file"):
        checkpoints.load_autoencoder(tmp_path / "missing.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainError, match="not a whole safetensors file"):
        checkpoints.load_unet(path)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(TrainError, match="not a whole safetensors file"):
        checkpoints.load_unet(path)


def test_a_failed_write_keeps_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "n.safetensors", UNet(TEACHER, 3))
    before = path.read_bytes()

    def full_disk(tensors: object, name: Path, metadata: object) -> None:
        name.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    with pytest.raises(TrainError, match="No space left"):
        save(path, UNet(TEACHER, 3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_optimiser_state_survives_the_round_trip() -> None:
    parameter = torch.nn.Parameter(torch.randn(4))
    optimisers = [torch.optim.AdamW([parameter], lr=0.1) for _ in range(2)]
    parameter.grad = torch.randn(4)
    optimisers[0].step()
    checkpoints.load_optimiser_tensors(optimisers[1], checkpoints.optimiser_tensors(optimisers[0]))
    first, second = (checkpoints.optimiser_tensors(o) for o in optimisers)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
