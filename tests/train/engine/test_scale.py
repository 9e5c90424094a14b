"""The same run in one process or many, in one batch or micro-batches, in any arithmetic, compiled or not."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from safetensors.torch import load_file
from torch import Tensor

from tests.tiny import write_networks, write_photos, write_preset
from train.autoencoder import AutoencoderSettings, AutoencoderTask
from train.distill import DistillSettings, DistillTask
from train.engine import processes
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.noise import Noise
from train.engine.settings import TrainingSettings, parse
from train.engine.sources import training_crops
from train.engine.task import OptimiserStep, Trainable
from train.finetuning.settings import FinetuneSettings
from train.finetuning.task import FinetuneTask
from train.teacher import TeacherSettings, TeacherTask

ROOT = Path(__file__).parents[3]
STEPS, BATCH = 4, 8
STAGES: dict[str, tuple[type[TrainingSettings], type, tuple[str, ...]]] = {
    "train.autoencoder": (AutoencoderSettings, AutoencoderTask, ()),
    "train.teacher": (TeacherSettings, TeacherTask, ("autoencoder",)),
    "train.distill": (DistillSettings, DistillTask, ("autoencoder", "teacher")),
    "train.finetune": (FinetuneSettings, FinetuneTask, ("autoencoder", "teacher", "student")),
}
OPTIONS = {
    "train.finetune": ("--lambda_2=0.1", "--texture_weight=0.1", "--train_decoder=true", "--paper.heads.width=32")
}
"""What a stage is told for a run with all of its trainables."""
TOLERANCES = {"train.teacher": 1e-5, "train.distill": 1e-5, "train.finetune": 3e-4}
"""Of the losses: a finetuning is watched by the means of logits near zero."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    return folder


def options(folder: Path, stage: str, out: Path, *more: str) -> list[str]:
    chosen: dict[str, object] = {"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": out}
    chosen |= {name: folder / f"{name}.safetensors" for name in STAGES[stage][2]}
    chosen |= {"steps": STEPS, "batch": BATCH, "log_every": 1, "picture_every": 2, "save_every": 2, "workers": 0}
    chosen |= {"precision": "32-true", "device": "cpu"}
    return [*(f"--{key}={value}" for key, value in chosen.items()), *OPTIONS.get(stage, ()), *more]


def run(folder: Path, stage: str, out: Path, *more: str) -> Path:
    """A whole run in this process."""
    kind, task, _ = STAGES[stage]
    chosen = parse(kind, stage, "", options(folder, stage, out, *more))
    dataset = training_crops(chosen)
    train(task(chosen, dataset) if stage == "train.finetune" else task(chosen), chosen, dataset)
    return out


def losses(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


def assert_same_run(one: Path, other: Path, tolerance: float = 1e-5) -> None:
    """Two runs' losses, and weights where the learning rate's warm-up has not made differences of rounding large."""
    first, second = losses(one), losses(other)
    assert len(first) == len(second) == STEPS
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        np.testing.assert_allclose([*a.values()], [*b.values()], rtol=tolerance, atol=tolerance / 10)
    ours, theirs = (load_file(out / "checkpoint.safetensors") for out in (one, other))
    assert ours.keys() == theirs.keys()
    for name in (name for name in ours if name.startswith("average")):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=2e-4, msg=name)


@examples(max_examples=40)
@given(n=st.integers(1, 4), parts=st.integers(1, 4), below=st.integers(1, 15), seed=st.integers(0, 2**32))
def test_parts_of_a_batch_see_their_part_of_its_noise(n: int, parts: int, below: int, seed: int) -> None:
    whole, shares = Noise(seed, 3), [Noise(seed, 3, part=part, parts=parts) for part in range(parts)]
    for shape in ((3, 2, 2), (1,)):
        together = torch.cat([share.normal((n, *shape)) for share in shares])
        assert torch.equal(whole.normal((n * parts, *shape)), together)
        assert torch.equal(whole.times(below, n * parts), torch.cat([share.times(below, n) for share in shares]))
        assert {share.shift(below) for share in shares} == {whole.shift(below)}


@pytest.mark.parametrize("stage", ["train.teacher", "train.distill", "train.finetune"])
def test_micro_batches_are_the_same_run_as_the_whole_batch(stage: str, folder: Path, tmp_path: Path) -> None:
    one = run(folder, stage, tmp_path / "one")
    four = run(folder, stage, tmp_path / "four", "--accumulate", "4")
    assert_same_run(one, four, TOLERANCES[stage])


def test_micro_batches_keep_the_mean_of_their_statistics(folder: Path, tmp_path: Path) -> None:
    one = run(folder, "train.autoencoder", tmp_path / "one")
    two = run(folder, "train.autoencoder", tmp_path / "two", "--accumulate", "2")
    assert_same_run(one, two, tolerance=2e-3)  # a deviation's mean over parts is not quite that of the whole


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train.teacher", "train.distill", "train.finetune"])
def test_two_processes_are_the_same_run_as_one(stage: str, folder: Path, tmp_path: Path) -> None:
    one = run(folder, stage, tmp_path / "one")
    two = tmp_path / "two"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", stage]
    first = [*torchrun, *options(folder, stage, two, "--minutes", "0.0001")]
    rest = [*torchrun, *options(folder, stage, two, "--accumulate", "2")]
    for command in (first, rest):
        ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr
    assert "goes on from step 1 of 4" in ended.stderr
    assert ended.stderr.count("goes on from") == 1, "more than one process speaks"
    assert_same_run(one, two, TOLERANCES[stage])


@pytest.mark.slow
def test_a_mistake_under_torchrun_is_told_and_ends_all(folder: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "train.teacher", *options(folder, "train.teacher", tmp_path / "out", "--batch", "9")]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "--batch 9" in ended.stderr
    assert "over 2 processes" in ended.stderr


def test_a_batch_that_cannot_be_split_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*more: str) -> TrainingSettings:
        return parse(TeacherSettings, "train.teacher", "", options(folder, "train.teacher", folder / "o", *more))

    with pytest.raises(TrainError, match=r"--batch 8 --accumulate 3: .* multiple of 3"):
        parsed("--accumulate", "3")
    with pytest.raises(TrainError, match="--accumulate 0"):
        parsed("--accumulate", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert parsed().batch == BATCH, "only torchrun's variables count"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    with pytest.raises(TrainError, match="over 3 processes"):
        parsed()


def test_fp16_needs_a_gpu(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="--precision 16-mixed: needs a CUDA GPU"):
        run(folder, "train.teacher", tmp_path / "out", "--precision", "16-mixed")


class Overflowing:
    """One weight whose gradient, times the scale that fp16 begins with, is more than fp16 can hold."""

    name = "overflowing"

    def __init__(self) -> None:
        self.trainables = {"weight": Trainable(torch.nn.Linear(1, 1, bias=False))}

    def to(self, device: torch.device) -> None:
        """Nothing."""

    def optimiser_steps(self, batch: dict[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        loss = self.trainables["weight"].network(batch["hq"].mean().view(1, 1)).float().sum()
        yield OptimiserStep("weight", {"loss": 8 * loss})

    def exports(self, network: torch.nn.Module) -> dict[str, torch.nn.Module]:
        return {}


@pytest.fixture
def fp16_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric refuses it to users, for it is slow; the arithmetic and the scaler are the GPU's."""

    def connect(device: str, precision: str) -> Fabric:
        return Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu")])

    monkeypatch.setattr(processes, "connect", connect)


@pytest.mark.usefixtures("fp16_on_the_cpu")
def test_fp16_skips_a_step_that_overflows_and_goes_on_exactly(folder: Path, tmp_path: Path) -> None:
    def sitting(out: Path, *more: str) -> None:
        argv = options(folder, "train.teacher", out, "--picture_every", "99", "--steps", "12", *more)
        chosen = parse(TeacherSettings, "train.teacher", "", argv)
        torch.manual_seed(0)
        task: Any = Overflowing()
        train(task, chosen, training_crops(chosen, degraded=False))

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    sitting(whole)
    for _ in range(12):
        sitting(broken, "--minutes", "1e-9")
    assert (whole / "losses.jsonl").read_text() == (broken / "losses.jsonl").read_text()
    lines = losses(whole)
    scales = [line["loss_scale"] for line in lines]
    skipped = [line for line in lines if "weight_gradient_norm" not in line]
    assert scales[0] == 2.0**15, "the first step overflowed, and the scale of 2**16 was halved"
    assert 0 < len(skipped) < len(lines)
    assert [line["step"] for line in lines] == list(range(12))


@pytest.mark.usefixtures("fp16_on_the_cpu")
def test_fp16_trains_every_player(folder: Path, tmp_path: Path) -> None:
    one, other = (run(folder, "train.distill", tmp_path / name, "--accumulate", "2") for name in ("a", "b"))
    assert losses(one) == losses(other)
    assert all(np.isfinite([*line.values()]).all() for line in losses(one))
    assert losses(one)[0]["loss_scale"] > 0


@pytest.mark.slow
def test_compiled_networks_train_alike_and_keep_their_names(folder: Path, tmp_path: Path) -> None:
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("needs a C++ compiler")
    plain = run(folder, "train.distill", tmp_path / "plain")
    compiled = tmp_path / "compiled"  # by a process of its own: the compiler minds what pytest has imported
    command = [sys.executable, "-m", "train.distill", *options(folder, "train.distill", compiled, "--compile", "true")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert_same_run(plain, compiled, tolerance=1e-3)
    assert load_file(plain / "student.safetensors").keys() == load_file(compiled / "student.safetensors").keys()


class Diverging:
    """A discriminator's weight, and a student's whose second loss term becomes infinite in step 3."""

    name = "diverging"

    def __init__(self, bad: str) -> None:
        self.bad = bad
        self.steps = 0
        self.trainables = {name: Trainable(torch.nn.Linear(1, 1, bias=False)) for name in ("student", "discriminator")}

    def to(self, device: torch.device) -> None:
        """Nothing."""

    def optimiser_steps(self, batch: dict[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        value = batch["hq"].mean().view(1, 1)
        outputs = {name: trainable.network(value).sum() for name, trainable in self.trainables.items()}
        infinite = float("inf") if self.steps == 3 else 1.0
        self.steps += 1
        yield OptimiserStep(
            "discriminator", {"real": outputs["discriminator"] * (infinite if self.bad == "real" else 1)}
        )
        terms = {"l1": outputs["student"], "score": outputs["student"] * (infinite if self.bad == "score" else 1)}
        if self.bad == "gradient of student" and infinite > 1:
            terms["score"] = (0 * outputs["student"]).clamp(min=0).sqrt()  # finite, with a slope that is not
        yield OptimiserStep("student", terms)

    def exports(self, network: torch.nn.Module) -> dict[str, torch.nn.Module]:
        return {}


@pytest.mark.parametrize("bad", ["real", "score", "gradient of student"])
def test_what_is_not_finite_ends_the_run_before_the_weights_that_are_kept(
    bad: str, folder: Path, tmp_path: Path
) -> None:
    argv = options(folder, "train.teacher", tmp_path / "out", "--picture_every=99", "--steps=9", "--save-every=2")
    chosen = parse(TeacherSettings, "train.teacher", "", argv)
    task: Any = Diverging(bad)
    with pytest.raises(TrainError) as error:
        train(task, chosen, training_crops(chosen, degraded=False))
    what = bad if bad.startswith("gradient") else f"loss {bad}"
    assert f"diverging: {what} is not finite at step 3; the last good checkpoint is " in str(error.value)
    assert task.trainables["student"].network.module.weight.isfinite().all()
    assert [line["step"] for line in losses(tmp_path / "out")] == [0, 1, 2]
    assert all(value.isfinite().all() for value in load_file(tmp_path / "out" / "checkpoint.safetensors").values())
