"""What ``apps.benchmarks.training`` times: the trainers' own steps with random weights, and matrix products."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tadsr.measuring import Call, peak_memory
from train.data.crops import Sample, loader
from train.data.synthetic import draw_synthetic
from train.diffusion import process
from train.diffusion.latents import bind, condition
from train.distill import DistillSettings, DistillTask
from train.engine.checkpoints import describe, save_network
from train.engine.settings import Model
from train.engine.sources import training_crops
from train.engine.state import State
from train.networks.families import build_autoencoder, build_unet

_PHOTOS, _PHOTO_SIDE = 16, 512
_ENDLESS = 1_000_000
_MATRIX_SIDES = {"cpu": (512, 1024, 2048, 4096), "cuda": (4096, 8192, 16384), "mps": (1024, 2048, 4096)}


class Layout(NamedTuple):
    """How networks lie in memory and are run; the arithmetic is the same."""

    memory_format: torch.memory_format
    compile: bool


LAYOUTS = {
    "channels-last": Layout(torch.channels_last, compile=False),
    "contiguous": Layout(torch.contiguous_format, compile=False),
    "channels-last, compiled": Layout(torch.channels_last, compile=True),
}
"""The first is the trainers' own, the last what they do with ``--compile true``."""


class Work(NamedTuple):
    """A call, and how many pictures it is about."""

    call: Call
    images: int


def write_networks(model: Model, folder: Path) -> None:
    """autoencoder.safetensors and teacher.safetensors of the preset's sizes, with random weights."""
    torch.manual_seed(0)
    autoencoder = build_autoencoder(model.family_autoencoder)
    teacher = build_unet(model.family_teacher, autoencoder.latent_channels)
    sampling = {"diffusion": asdict(model.diffusion), "sampling": {"steps": model.diffusion.steps}}
    for name, network, extra in (("autoencoder", autoencoder, {}), ("teacher", teacher, sampling)):
        save_network(folder / f"{name}.safetensors", network.state_dict(), describe(network, **extra))


def write_photos(folder: Path) -> None:
    """Some drawn pictures as PNG, where no photos are given."""
    folder.mkdir()
    for i in range(_PHOTOS):
        Image.fromarray(draw_synthetic(np.random.default_rng(i), _PHOTO_SIDE)).save(folder / f"{i}.png")


def load(settings: DistillSettings, seconds: float) -> tuple[Sample, float]:
    """The first batch, and the crops per second that one worker process makes, watched for ``seconds``."""
    batches = iter(loader(training_crops(settings), settings.batch, 0, _ENDLESS, workers=1))
    first = next(batches)
    done, begin = 0, time.perf_counter()
    while not done or time.perf_counter() - begin < seconds:
        next(batches)
        done += 1
    return first, done * settings.batch / (time.perf_counter() - begin)


class Distillation:
    """A distillation that goes on with the same batch; its learning rate should be too small to change the weights."""

    def __init__(self, settings: DistillSettings, layout: Layout, batch: Mapping[str, Tensor]) -> None:
        """``batch`` has "hq" and "lq". Raises ``TrainError`` as the trainers do."""
        settings = replace(settings, compile=layout.compile)
        self._task = DistillTask(settings)
        self._state = State(self._task, settings)
        self.device = self._state.fabric.device
        for network in (self._task.autoencoder, self._task.teacher, *self._state.networks.values()):
            network.to(memory_format=layout.memory_format)  # type: ignore[call-overload]
        self._batch = {name: value.to(self.device) for name, value in batch.items()}
        self._cached = self._batch | dict(zip(("noise", "teacher_z_0"), self._sample(), strict=True))
        self._steps = count()

    def works(self) -> dict[str, Work]:
        """What can be timed, by name; as long as this lives it can be called again and again."""
        n, steps = len(self._batch["lq"]), self._task.schedule.steps
        return {
            f"teacher sampling, {steps} steps": Work(self._sample, n),
            "distillation step, cached samples": Work(partial(self._step, self._cached), n),
            "distillation step": Work(partial(self._step, self._batch), n),
            f"one picture, teacher, {steps} steps": Work(self._many_steps, 1),
            "one picture, student, 1 step": Work(self._one_step, 1),
        }

    def _step(self, batch: Mapping[str, Tensor]) -> None:
        self._state.step(next(self._steps), batch)

    @torch.no_grad()
    def _sample(self) -> tuple[Tensor, Tensor]:
        """The noise and the teacher's samples, as in ``train.sample_teacher``."""
        task = self._task
        with self._state.fabric.autocast():
            known = condition(task.autoencoder, self._batch["lq"], task.scale)
            noise = torch.randn_like(known.z_y)
            return noise, task.sample_teacher(known, process.prior_sample(task.schedule, known.z_y, noise))

    @torch.no_grad()
    def _many_steps(self) -> Tensor:
        task = self._task
        with self._state.fabric.autocast():
            known = condition(task.autoencoder, self._batch["lq"][:1], task.scale)
            z_T = process.prior_sample(task.schedule, known.z_y, torch.randn_like(known.z_y))
            return task.autoencoder.decode(task.sample_teacher(known, z_T))

    @torch.no_grad()
    def _one_step(self) -> Tensor:
        task = self._task
        with self._state.fabric.autocast():
            known = condition(task.autoencoder, self._batch["lq"][:1], task.scale)
            student = bind(self._state.networks["student"], known)
            return task.autoencoder.decode(
                process.one_step(task.schedule, student, known.z_y, torch.randn_like(known.z_y))
            )


def matrix_products(dtype: torch.dtype, device: torch.device) -> dict[str, tuple[Call, float]]:
    """Products of square matrices of several sizes, and the floating-point operations of each: 2 n^3."""

    def product(n: int) -> Call:
        a, b, out = (torch.randn(n, n, device=device).to(dtype) for _ in range(3))
        return lambda: torch.matmul(a, b, out=out)

    return {f"{n}x{n} matrix product": (product(n), 2.0 * n**3) for n in _MATRIX_SIDES[device.type]}


def finished(call: Call, device: torch.device) -> Call:
    """The call as one that returns when the device has finished its work, which a GPU only puts in a queue."""

    def call_and_wait() -> None:
        call()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    return call_and_wait


def held_memory() -> int:
    """Bytes that PyTorch holds now on the CUDA device, 0 without one: what ``peak_memory_of`` need not count."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


def peak_memory_of(call: Call, device: torch.device, held: int = 0) -> int | None:
    """Bytes: on CUDA the most that PyTorch has allocated during the call, less ``held``; elsewhere the most resident
    memory of this process so far, which never falls; None where the system does not say."""
    if device.type != "cuda":
        call()
        return peak_memory()
    torch.cuda.reset_peak_memory_stats(device)
    call()
    return torch.cuda.max_memory_allocated(device) - held
