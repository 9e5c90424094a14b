"""What a training step changes: the trainables, their optimisers, the average; on the device, and on disk."""

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from train.engine import processes
from train.engine.checkpoints import (
    describe,
    load_optimiser_tensors,
    load_tensors,
    optimiser_tensors,
    save_network,
    save_tensors,
)
from train.engine.errors import TrainError
from train.engine.micro_batches import PartialBuffers
from train.engine.noise import Noise
from train.engine.run_folder import CHECKPOINT
from train.engine.settings import TrainingSettings
from train.engine.task import OptimiserStep, Task
from train.networks.memory import channels_last

_COMPILERS = ("c++", "g++", "clang++", "cl")


class State:
    """The replicas of this process. Raises ``TrainError`` where the device is not to be had."""

    def __init__(self, task: Task, settings: TrainingSettings) -> None:
        self.task, self.settings = task, settings
        self.fabric = processes.connect(settings.device, settings.precision)
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.wrapped_optimisers: dict[str, Any] = {}
        self._unchecked: list[tuple[str, list[str], Tensor]] = []
        for name, trainable in task.trainables.items():
            network = channels_last(trainable.network, self.fabric.device)
            processes.start_equal(self.fabric, _floats([*network.parameters(), *network.buffers()]))
            optimiser = torch.optim.AdamW(
                network.parameters(), lr=settings.lr, betas=trainable.betas, weight_decay=settings.weight_decay
            )
            self.networks[name], self.optimisers[name] = network, optimiser
        self.leader = next(iter(self.networks.values()))
        ema = get_ema_multi_avg_fn(settings.ema)
        self.average = AveragedModel(self.leader, multi_avg_fn=ema, use_buffers=False)
        for name, trainable in task.trainables.items():
            trainable.network, self.wrapped_optimisers[name] = self.fabric.setup(
                self.networks[name], self.optimisers[name]
            )
        task.to(self.fabric.device)
        if settings.compile:
            self._compile()

    def _compile(self) -> None:
        if self.fabric.device.type == "cpu" and not any(map(shutil.which, _COMPILERS)):
            raise TrainError(f"--compile: needs a C++ compiler ({', '.join(_COMPILERS)}); install one, or leave it out")
        for network in self.networks.values():
            network.compile(dynamic=False)  # in place: the names of the weights stay as they are

    def step(self, step: int, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step of every trainable -> means over the global batch of the loss terms and of what is watched, and
        every gradient's norm before clipping.

        Each optimiser step takes all micro-batches before the next one begins, since what it computes may depend on
        weights that the one before has changed. Raises ``TrainError`` for a loss or gradient that is not finite, before
        it reaches the weights that are averaged and exported.
        """
        parts = [self.task.optimiser_steps(part, noise) for part, noise in self._parts(step, batch)]
        measures: dict[str, Tensor] = {}
        while (latest := self._optimiser_step(step, parts)) is not None:
            measures |= latest
        processes.average(
            self.fabric, (buffer for network in self.networks.values() for buffer in _floats(network.buffers()))
        )
        self.average.update_parameters(self.leader)
        return measures

    def _parts(self, step: int, batch: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], Noise]]:
        """The micro-batches of this process, and the noise of each."""
        n, fabric = self.settings.accumulate, self.fabric
        for i, part in enumerate(zip(*(value.chunk(n) for value in batch.values()), strict=True)):
            noise = Noise(self.settings.seed, step, fabric.device, fabric.global_rank * n + i, fabric.world_size * n)
            yield dict(zip(batch, part, strict=True)), noise

    def _optimiser_step(self, step: int, parts: list[Iterator[OptimiserStep]]) -> dict[str, Tensor] | None:
        """One optimiser step of one trainable, on the whole batch -> its measures, or None where none is left."""
        buffers = PartialBuffers(self.networks.values(), len(parts))
        measured: list[Tensor] = []
        for i, part in enumerate(parts):
            buffers.start(i)
            with self.fabric.autocast():
                latest = next(part, None)
            if latest is None:
                return None
            if i == 0:
                self.wrapped_optimisers[latest.trainable].zero_grad(set_to_none=True)
            for output in latest.outputs.values():
                output.retain_grad()
            self.fabric.backward(torch.stack(list(latest.terms.values())).sum() / len(parts))
            values = latest.terms | latest.watched | self._gradient_norms(latest, len(parts))
            measured.append(torch.stack([value.detach().float() for value in values.values()]))
            buffers.end()
        assert latest is not None
        buffers.keep_mean()
        gradients = (weight.grad for weight in self.networks[latest.trainable].parameters())
        means = torch.stack(measured).mean(0)
        processes.average(self.fabric, [means, *(gradient for gradient in gradients if gradient is not None)])
        self._unchecked.append(("loss", list(latest.terms), means[: len(latest.terms)]))
        return dict(zip(values, means.unbind(), strict=True)) | self._update(step, latest.trainable)

    def _update(self, step: int, trainable: str) -> dict[str, Tensor]:
        """Change the trainable's weights by its averaged gradient -> the gradient's norm."""
        optimiser, network = self.wrapped_optimisers[trainable], self.task.trainables[trainable].network
        for group in self.optimisers[trainable].param_groups:
            group["lr"] = self.settings.lr * learning_rate_factor(step, self.settings)
        norm = self.fabric.clip_gradients(network, optimiser, max_norm=self.settings.clip, error_if_nonfinite=False)
        assert norm is not None
        scaler = self._scaler()
        if scaler is None:
            self._unchecked.append(("gradient of", [trainable], norm.reshape(1)))
        if self.networks[trainable] is self.leader:
            self._check_finite(step)
        optimiser.step()  # with a scaler it does nothing where the gradient is not finite, and the scale is halved
        return {f"{trainable}_gradient_norm": norm} | (
            {} if scaler is None else {"loss_scale": torch.tensor(scaler.get_scale())}
        )

    def _gradient_norms(self, latest: OptimiserStep, parts: int) -> dict[str, Tensor]:
        """The norm of each term's gradient with respect to the trainable's output: of one sample's loss, on average."""
        scaler = self._scaler()
        back = parts / (1.0 if scaler is None else scaler.get_scale())
        gradients = {name: output.grad for name, output in latest.outputs.items() if output.grad is not None}
        return {f"{name}_gradient_norm": back * g.float().flatten(1).norm(dim=1).sum() for name, g in gradients.items()}

    def _scaler(self) -> torch.amp.GradScaler | None:
        """What keeps fp16's small gradients above zero; other arithmetic needs none."""
        scaler: torch.amp.GradScaler | None = getattr(self.fabric.strategy.precision, "scaler", None)
        return scaler

    def _check_finite(self, step: int) -> None:
        """Look at all losses and gradients since the last call, in the order of their making.

        They are read at once, for every reading makes the host wait for the device.
        """
        finite = iter(torch.isfinite(torch.cat([values for _, _, values in self._unchecked])).tolist())
        for what, names, _ in self._unchecked:
            if bad := [name for name in names if not next(finite)]:
                checkpoint = self.settings.out / CHECKPOINT
                kept = f"the last good checkpoint is {checkpoint}" if checkpoint.exists() else "there is no checkpoint"
                raise TrainError(
                    f"{self.task.name}: {what} {', '.join(bad)} is not finite at step {step}; {kept}; try a lower --lr"
                )
        self._unchecked.clear()

    def save(self, step: int) -> None:
        """Write the averaged weights as the files that other stages read, and the checkpoint."""
        out = self.settings.out
        tensors = _prefixed("average", self.average.state_dict())
        for name in self.networks:
            tensors |= _prefixed(f"network-{name}", self.networks[name].state_dict())
            tensors |= _prefixed(f"optimiser-{name}", optimiser_tensors(self.optimisers[name]))
        for name, network in self.task.exports(self.average.module).items():
            description = describe(network, steps=step, **self.task.description())
            save_network(out / f"{name}.safetensors", network.state_dict(), description)
        # Last, so that after a kill in between the steps that the other files lack are done again.
        scaler = self._scaler()
        metadata = {"step": str(step)} | ({} if scaler is None else {"scaler": json.dumps(scaler.state_dict())})
        save_tensors(out / CHECKPOINT, {k: v.cpu() for k, v in tensors.items()}, metadata)

    def resume(self) -> int:
        """Put back what the checkpoint holds -> the number of steps done (0 without a checkpoint)."""
        path = self.settings.out / CHECKPOINT
        step = self._load(path) if path.exists() else 0
        processes.check_equal_start(self.fabric, step)
        return step

    def _load(self, path: Path) -> int:
        tensors, metadata = load_tensors(path)
        parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for name, value in tensors.items():
            part, _, key = name.partition(".")
            parts[part][key] = value
        try:
            self.average.load_state_dict(parts["average"])
            for name in self.networks:
                self.networks[name].load_state_dict(parts[f"network-{name}"])
                load_optimiser_tensors(self.optimisers[name], parts[f"optimiser-{name}"])
            if (scaler := self._scaler()) is not None:
                scaler.load_state_dict(json.loads(metadata["scaler"]))
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainError(f"{path}: of another version or network; remove it, or give another --out") from error
        return int(metadata["step"])


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine from 1 down to ``settings.final_lr`` at the last step."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    progress = min(1.0, step / max(1, settings.steps))
    return warm * (settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * progress)))


def _floats(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    return (tensor for tensor in tensors if tensor.is_floating_point())


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}
