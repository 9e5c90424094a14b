"""The one training loop: mixed precision, EMA, logs, pictures, and exact resume after being killed at any moment.

Everything random in step i is drawn from a generator seeded by (seed, i), and the crops of step i are a pure function
of (seed, i) too. So a checkpoint holds no random state, and a resumed run repeats the other's losses to the bit.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
import yaml
from lightning_fabric import Fabric
from numpy.random import SeedSequence
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from train.checkpoints import (
    describe,
    load_optimiser_tensors,
    load_tensors,
    optimiser_tensors,
    save_network,
    save_tensors,
)
from train.data import CropDataset, loader
from train.errors import TrainError
from train.networks.memory import channels_last
from train.photos import find_photos
from train.progress import Steps
from train.settings import SCALE, TrainingSettings

CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.jsonl"
SETTINGS = "config.yaml"
FREE_TO_CHANGE = frozenset({"out", "minutes", "device", "workers", "save_every", "log_every", "picture_every"})
"""Settings that may differ when a run is resumed; any other would make it another run."""

_log = logging.getLogger(__name__)
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # importing it set it to announce its precision


class Task(Protocol):
    """What a stage adds to the loop."""

    name: str
    """Name of the stage, in logs and messages."""
    network: nn.Module
    """What is trained. The loop replaces it by a wrapped one (device, precision)."""

    def to(self, device: torch.device) -> None:
        """Move the frozen helpers to the device."""

    def losses(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The weighted terms of the loss, scalars; their sum is minimised. Draw noise from ``generator`` only."""

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named pictures [N, 3, H, W] in [0, 1] to look at, made with the averaged ``network``."""

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        """What the averaged ``network`` is saved as: {"teacher": ...} becomes teacher.safetensors in the folder."""

    def description(self) -> dict[str, Any]:
        """What the exported files say beside their networks' sizes; JSON-able."""


def train(task: Task, settings: TrainingSettings, degraded: bool = True) -> nn.Module:
    """Train ``task.network`` to ``settings.steps`` steps or ``settings.minutes`` -> the averaged network, in eval mode.

    Resumes the run found in ``settings.out``. Raises ``TrainError`` where that run has other settings, where a loss
    is not finite, or where a file cannot be written.
    """
    _check_same_run(settings)
    out, state = settings.out, _State(task, settings)
    start = state.resume()
    photos = find_photos(settings.photos, settings.licences)
    dataset = CropDataset(photos, settings.data, settings.degradation if degraded else None, settings.seed, SCALE)
    batches = loader(dataset, settings.batch, start, settings.steps - start, settings.workers)
    out.mkdir(parents=True, exist_ok=True)
    (out / SETTINGS).write_text(yaml.safe_dump(_plain(asdict(settings)), sort_keys=False), encoding="utf-8")
    _keep_losses_before(out / LOSSES, start)
    if start:
        _log.info("%s: goes on from step %d of %d in %s", task.name, start, settings.steps, out)

    deadline = time.monotonic() + 60 * settings.minutes if settings.minutes else math.inf
    with (
        Steps(task.name, settings.steps, start) as progress,
        SummaryWriter(str(out / "tensorboard"), purge_step=start) as board,
        (out / LOSSES).open("a", encoding="utf-8") as losses,
    ):
        for step, batch in enumerate(state.fabric.setup_dataloaders(batches, use_distributed_sampler=False), start):
            measures = state.step(step, batch)
            done = step + 1
            last = done == settings.steps or time.monotonic() > deadline
            if done % settings.log_every == 0 or last:
                values = {name: value.item() for name, value in measures.items()}
                losses.write(json.dumps({"step": step, **values}) + "\n")
                losses.flush()
                for name, value in values.items():
                    board.add_scalar(name, value, step)
                progress.show(done, values)
            if done % settings.picture_every == 0:
                _write_pictures(board, task, state.average.module, batch, step)
            if done % settings.save_every == 0 or last:
                state.save(done)
            if last:
                break
    return state.average.module.eval()


class _State:
    """Everything that a step changes: network, its average, optimiser; on the device, and on disk."""

    def __init__(self, task: Task, settings: TrainingSettings) -> None:
        self.task, self.settings = task, settings
        self.fabric = Fabric(accelerator=settings.device, devices=1, precision=settings.precision)
        self.network = channels_last(task.network, self.fabric.device)
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=False)
        parameters = self.network.parameters()
        self.optimiser = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
        task.network, self.wrapped_optimiser = self.fabric.setup(self.network, self.optimiser)
        task.to(self.fabric.device)

    def step(self, step: int, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One optimiser step -> the loss terms, and the gradient's norm before clipping."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr * learning_rate_factor(step, self.settings)
        with self.fabric.autocast():
            terms = self.task.losses(batch, _generator(self.settings.seed, step, self.fabric.device))
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            _raise_not_finite(self.task.name, step, terms, self.settings.out)
        self.wrapped_optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        norm = self.fabric.clip_gradients(self.task.network, self.wrapped_optimiser, max_norm=self.settings.clip)
        assert norm is not None
        self.wrapped_optimiser.step()
        self.average.update_parameters(self.network)
        return terms | {"gradient_norm": norm}

    def save(self, step: int) -> None:
        """Write the checkpoint, and the averaged weights as the files that other stages read."""
        out = self.settings.out
        tensors = _prefixed("network", self.network.state_dict()) | _prefixed("average", self.average.state_dict())
        tensors |= _prefixed("optimiser", optimiser_tensors(self.optimiser))
        save_tensors(out / CHECKPOINT, {k: v.cpu() for k, v in tensors.items()}, {"step": str(step)})
        for name, network in self.task.exports(self.average.module).items():
            description = describe(network, steps=step, **self.task.description())
            save_network(out / f"{name}.safetensors", network.state_dict(), description)

    def resume(self) -> int:
        """Put back what the checkpoint holds -> the number of steps done (0 without a checkpoint)."""
        path = self.settings.out / CHECKPOINT
        if not path.exists():
            return 0
        tensors, metadata = load_tensors(path)
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, key = name.partition(".")
            parts[part][key] = value
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        load_optimiser_tensors(self.optimiser, parts["optimiser"])
        return int(metadata["step"])


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine from 1 down to ``settings.final_lr`` at the last step."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    progress = min(1.0, step / max(1, settings.steps))
    return warm * (settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * progress)))


def _generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    state = SeedSequence([seed, step]).generate_state(1, "uint64")[0]
    return torch.Generator(device).manual_seed(int(state) % 2**63)


def _check_same_run(settings: TrainingSettings) -> None:
    path = settings.out / SETTINGS
    if not (settings.out / CHECKPOINT).exists() or not path.exists():
        return
    before, now = yaml.safe_load(path.read_text(encoding="utf-8")), _plain(asdict(settings))
    changed = sorted(key for key in now if key not in FREE_TO_CHANGE and before.get(key) != now[key])
    if changed:
        raise TrainError(
            f"{settings.out}: holds a run with another {', '.join(changed)}; "
            "give the same settings to go on, or another --out"
        )


def _raise_not_finite(name: str, step: int, terms: Mapping[str, Tensor], out: Path) -> None:
    bad = ", ".join(term for term, value in terms.items() if not torch.isfinite(value))
    kept = (
        f"the last good checkpoint is {out / CHECKPOINT}" if (out / CHECKPOINT).exists() else "there is no checkpoint"
    )
    raise TrainError(f"{name}: loss {bad} is not finite at step {step}; {kept}; try a lower --lr")


def _keep_losses_before(path: Path, step: int) -> None:
    """Drop the lines of steps that will be done again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < step]
        path.write_text("".join(kept), encoding="utf-8")


@torch.no_grad()
def _write_pictures(
    board: SummaryWriter, task: Task, network: nn.Module, batch: Mapping[str, Tensor], step: int
) -> None:
    for name, pictures in task.pictures(network.eval(), {k: v[:4] for k, v in batch.items()}).items():
        row = torch.cat(list(pictures.float().clamp(0, 1)), dim=2)
        board.add_image(name, row.cpu(), step)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}


def _plain(value: Any) -> Any:
    """Settings as YAML's own types."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
