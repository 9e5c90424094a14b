"""Official checkpoints: every spelling is read, nothing in them is run, and every fault is one clear line."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.reference.seeded_weights import seed_network
from tests.train.networks.test_swin_unet import SMALL
from train.engine.errors import TrainError
from train.networks.swin_unet import SwinUNet
from train.official import load_official, read_official

State = dict[str, Any]


@pytest.fixture
def state() -> State:
    network = SwinUNet(SMALL)
    return {**network.state_dict(), **seed_network(network, 5, rounded=False)}


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


SPELLINGS: dict[str, Callable[[State], object]] = {
    "bare": lambda state: state,
    "wrapped": lambda state: {"state_dict": state, "step": 300_000},
    "module.": lambda state: {f"module.{k}": v for k, v in state.items()},
    "_orig_mod.": lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
    "module._orig_mod.": lambda state: {"state_dict": {f"module._orig_mod.{k}": v for k, v in state.items()}},
    "without buffers": lambda state: {k: v for k, v in state.items() if "attn_mask" not in k and "index" not in k},
    "other buffers": lambda state: {k: torch.zeros(2) if "attn_mask" in k else v for k, v in state.items()},
    "half": lambda state: {k: v.half().float().half() if v.is_floating_point() else v for k, v in state.items()},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_loaded(spelling: str, state: State, tmp_path: Path) -> None:
    network = SwinUNet(SMALL)
    mask = network.input_blocks[1][1].blocks[1].attn_mask.clone()
    load_official(network, save(tmp_path / "resshift.pth", SPELLINGS[spelling](state)))
    tolerance = 1e-2 if spelling == "half" else 0.0
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.detach(), state[name], rtol=tolerance, atol=tolerance)
    assert torch.equal(network.input_blocks[1][1].blocks[1].attn_mask, mask)


def test_extra_weights_are_ignored_aloud(state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(tmp_path / "resshift.pth", {**state, "loss.weight": torch.zeros(1)})
    with caplog.at_level(logging.WARNING):
        load_official(SwinUNet(SMALL), path)
    assert "1 extra (loss.weight)" in caplog.text


def test_what_does_not_fit_is_said_in_one_line(state: State, tmp_path: Path) -> None:
    del state["out.2.weight"]
    state["out.2.bias"] = torch.zeros(5)
    state["decoder.conv_in.weight"] = torch.zeros(1)
    path = save(tmp_path / "resshift.pth", state)
    with pytest.raises(TrainError) as caught:
        load_official(SwinUNet(SMALL), path)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        str(path),
        "does not fit SwinUNet",
        "1 missing (out.2.weight)",
        "1 misshapen (out.2.bias is [5], not [3])",
        "1 extra (decoder.conv_in.weight)",
    ):
        assert part in message


def test_many_missing_names_are_counted_not_listed(tmp_path: Path) -> None:
    path = save(tmp_path / "other.pth", {"encoder.weight": torch.zeros(1)})
    with pytest.raises(TrainError, match=r"missing \(time_embed.0.weight, time_embed.0.bias, [^,]*, \.\.\.\)"):
        load_official(SwinUNet(SMALL), path)


class Trap:
    """Unpickled by a careless loader, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_not_run(writer: str, tmp_path: Path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "evil.pth"
    content = {"state_dict": {"out.2.bias": torch.zeros(3)}, "trap": Trap(sprung)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(TrainError, match="nothing in it was run"):
        read_official(path)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut off"])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "resshift.pth"
    path.write_bytes(content)
    with pytest.raises(TrainError, match=r"resshift\.pth: not a checkpoint of plain tensors"):
        read_official(path)


@pytest.mark.parametrize(
    ("content", "message"), [([1, 2], "holds a list"), ({"step": 3}, "holds no weights, only step")]
)
def test_files_without_weights_are_refused(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=message):
        read_official(save(tmp_path / "resshift.pth", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no such file"):
        read_official(tmp_path / "resshift.pth")
