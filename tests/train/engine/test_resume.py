"""Every trainer can be killed at any moment and goes on as if nothing had happened."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tadsr.program import open_program
from tests.tiny import LR_ENCODER, write_networks, write_photos, write_preset
from train.engine.checkpoints import describe, save_network
from train.networks.lr_encoder import LREncoder

STEPS = 60
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    torch.manual_seed(1)
    lr_encoder = LREncoder(LR_ENCODER, 3)
    save_network(folder / "lr_encoder.safetensors", lr_encoder.state_dict(), describe(lr_encoder))
    return folder


INPUTS = {
    "train.autoencoder": (),
    "train.teacher": ("autoencoder",),
    "train.distill": ("autoencoder", "teacher"),
    "train.finetune": ("autoencoder", "teacher", "student"),
    "compress.prune": ("autoencoder", "student", "lr_encoder"),
    "compress.quantize": (),
}
"""The networks that each stage reads."""
OPTIONS = {
    "train.finetune": {"lambda_2": 0.1, "texture_weight": 0.1, "train_decoder": True, "paper.heads.width": 32},
    "compress.prune": {"measured_batches": 2, "multiple": 1},
    "compress.quantize": {"precision": "32-true", "calibration": 4},
}
"""What else a stage must be told for a run this small."""
PACKAGES = {"compress.prune": ("torch_pruning",), "compress.quantize": ("torchao", "nncf")}
"""What a stage needs beside the trainers' packages."""


def command(folder: Path, stage: str, out: Path) -> list[str]:
    settings: dict[str, object] = {"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": out}
    settings |= {name: folder / f"{name}.safetensors" for name in INPUTS[stage]}
    settings |= {"steps": STEPS, "batch": 4, "save_every": 5, "log_every": 1, "picture_every": 10, "workers": 1}
    settings |= OPTIONS.get(stage, {})
    if stage == "compress.quantize":
        settings["program"] = folder / "folded" / "student.pt2"
    return [
        sys.executable,
        "-m",
        stage,
        *(text for key, value in settings.items() for text in (f"--{key}", str(value))),
    ]


def fold(folder: Path) -> None:
    """Write the program that is quantised, with random weights."""
    networks = [f"--{name}={folder / name}.safetensors" for name in ("autoencoder", "student", "lr_encoder")]
    settings = [f"--preset={folder / 'tiny.yaml'}", f"--photos={folder / 'photos'}", f"--out={folder / 'folded'}"]
    argv = [sys.executable, "-m", "compress.fold", *settings, *networks]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("stage", INPUTS)
def test_a_killed_run_resumes_with_bit_identical_losses(stage: str, folder: Path) -> None:
    for package in PACKAGES.get(stage, ()):
        pytest.importorskip(package, reason=f"{stage} needs it: pip install 'tadsr[compress]'")
    if stage == "compress.quantize":
        fold(folder)
    whole, killed = folder / f"whole-{stage}", folder / f"killed-{stage}"
    subprocess.run(command(folder, stage, whole), cwd=ROOT, check=True, capture_output=True)

    process = subprocess.Popen(command(folder, stage, killed), cwd=ROOT, stderr=subprocess.PIPE)
    losses = killed / "losses.jsonl"
    while process.poll() is None and (not losses.exists() or losses.read_text().count("\n") < 8):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert (killed / "checkpoint.safetensors").exists()
    subprocess.run(command(folder, stage, killed), cwd=ROOT, check=True, capture_output=True)

    assert losses.read_text() == (whole / "losses.jsonl").read_text()
    assert [json.loads(line)["step"] for line in losses.read_text().splitlines()] == list(range(STEPS))
    for file in whole.glob("*.safetensors"):
        ours, theirs = load_file(killed / file.name), load_file(file)
        assert ours.keys() == theirs.keys()
        assert all(ours[key].equal(theirs[key]) for key in theirs), file.name
    for file in whole.glob("*.pt2"):
        programs = [open_program(out / file.name).exported.state_dict for out in (killed, whole)]
        assert programs[0].keys() == programs[1].keys()
        assert all(programs[0][key].equal(programs[1][key]) for key in programs[1]), file.name


@pytest.mark.slow
def test_a_run_with_other_settings_is_not_resumed(folder: Path) -> None:
    out = folder / "changed"
    subprocess.run(command(folder, "train.autoencoder", out), cwd=ROOT, check=True, capture_output=True)
    again = subprocess.run(
        [*command(folder, "train.autoencoder", out), "--lr", "0.5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    assert "lr 0.0002 -> 0.5" in again.stderr
    assert "Traceback" not in again.stderr
