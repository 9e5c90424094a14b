"""The one training loop: mixed precision, EMA, logs, pictures, and exact resume after being killed at any moment.

Everything random in step i is drawn from a generator seeded by (seed, i), and the crops of step i are a pure function
of (seed, i) too. So a checkpoint holds no random state, and a resumed run repeats the other's losses to the bit.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from lightning_fabric import Fabric
from numpy.random import SeedSequence
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset
from torch.utils.tensorboard import SummaryWriter

from train.checkpoints import (
    describe,
    load_optimiser_tensors,
    load_tensors,
    optimiser_tensors,
    save_network,
    save_tensors,
)
from train.data import loader
from train.errors import TrainError
from train.networks.memory import channels_last
from train.progress import Steps
from train.run_folder import CHECKPOINT, LOSSES, keep_losses_before, losses_line, open_run
from train.settings import TrainingSettings

_log = logging.getLogger(__name__)
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # importing it set it to announce its precision


class Trained(NamedTuple):
    """The outcome of a run so far."""

    network: nn.Module
    """The first player's averaged network, in eval mode."""
    steps: int
    """Steps done, of this and earlier sittings."""


class Round(NamedTuple):
    """One player's move."""

    player: str
    terms: dict[str, Tensor]
    """The weighted terms of its loss, scalars; their sum is minimised."""
    watched: dict[str, Tensor] = {}  # noqa: RUF012 - never written to
    """Further scalars to log."""


@dataclass
class Player:
    """A network that is trained. The loop replaces ``network`` by a wrapped one (device, precision)."""

    network: nn.Module
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of AdamW's moments."""


class Task(Protocol):
    """What a stage adds to the loop."""

    name: str
    """Name of the stage, in logs and messages."""
    players: dict[str, Player]
    """What is trained, by name. The first is what the stage is for: it is averaged and exported."""

    def to(self, device: torch.device) -> None:
        """Move the frozen helpers to the device."""

    def rounds(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> Iterator[Round]:
        """Who moves in this step, one after the other; a round is computed after those before it were applied.

        Draw noise from ``generator`` only.
        """

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named pictures [N, 3, H, W] in [0, 1] to look at, made with the averaged ``network``."""

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        """What the averaged ``network`` is saved as: {"teacher": ...} becomes teacher.safetensors in the folder."""

    def description(self) -> dict[str, Any]:
        """What the exported files say beside their networks' sizes; JSON-able."""


def train(task: Task, settings: TrainingSettings, dataset: Dataset[dict[str, Tensor]]) -> Trained:
    """Train to ``settings.steps`` steps or ``settings.minutes`` on ``dataset``, whose item i must depend on i alone.

    Resumes the run found in ``settings.out``. Raises ``TrainError`` where that run has other settings, where a loss
    is not finite, or where a file cannot be written.
    """
    open_run(settings)
    out, state = settings.out, _State(task, settings)
    start = state.resume()
    fabric = state.fabric
    batches = loader(
        dataset,
        settings.batch,
        start,
        settings.steps - start,
        settings.workers,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    keep_losses_before(start, out)
    if start:
        _log.info("%s: goes on from step %d of %d in %s", task.name, start, settings.steps, out)

    done = start
    deadline = time.monotonic() + 60 * settings.minutes if settings.minutes else math.inf
    with (
        Steps(task.name, settings.steps, start) as progress,
        SummaryWriter(str(out / "tensorboard"), purge_step=start) as board,
        (out / LOSSES).open("a", encoding="utf-8") as losses,
    ):
        for step, batch in enumerate(fabric.setup_dataloaders(batches, use_distributed_sampler=False), start):
            measures = state.step(step, batch)
            done = step + 1
            last = done == settings.steps or time.monotonic() > deadline
            if done % settings.log_every == 0 or last:
                values = {name: value.item() for name, value in measures.items()}
                losses.write(losses_line(step, values))
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
    return Trained(state.average.module.eval(), done)


class _State:
    """Everything that a step changes: the players, their optimisers, the average; on the device, and on disk."""

    def __init__(self, task: Task, settings: TrainingSettings) -> None:
        self.task, self.settings = task, settings
        try:
            self.fabric = Fabric(accelerator=settings.device, devices=1, precision=settings.precision)
        except (RuntimeError, ValueError) as error:  # Lightning's own exceptions derive from these
            raise TrainError(f"--device {settings.device}: not to be had here; give --device auto or cpu") from error
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.wrapped_optimisers: dict[str, Any] = {}
        for name, player in task.players.items():
            network = channels_last(player.network, self.fabric.device)
            optimiser = torch.optim.AdamW(
                network.parameters(), lr=settings.lr, betas=player.betas, weight_decay=settings.weight_decay
            )
            self.networks[name], self.optimisers[name] = network, optimiser
        self.leader = next(iter(self.networks.values()))
        ema = get_ema_multi_avg_fn(settings.ema)
        self.average = AveragedModel(self.leader, multi_avg_fn=ema, use_buffers=False)
        for name, player in task.players.items():
            player.network, self.wrapped_optimisers[name] = self.fabric.setup(
                self.networks[name], self.optimisers[name]
            )
        task.to(self.fabric.device)

    def step(self, step: int, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step of every player -> the loss terms, and every gradient's norm before clipping."""
        measures: dict[str, Tensor] = {}
        rounds = self.task.rounds(batch, _generator(self.settings.seed, step, self.fabric.device))
        while True:
            with self.fabric.autocast():
                turn = next(rounds, None)
            if turn is None:
                break
            norm = self._move(step, turn)
            measures |= turn.terms | turn.watched | {f"{turn.player}_gradient_norm": norm}
        self.average.update_parameters(self.leader)
        return measures

    def _move(self, step: int, turn: Round) -> Tensor:
        optimiser, network = self.wrapped_optimisers[turn.player], self.task.players[turn.player].network
        for group in self.optimisers[turn.player].param_groups:
            group["lr"] = self.settings.lr * learning_rate_factor(step, self.settings)
        total = torch.stack(list(turn.terms.values())).sum()
        if not torch.isfinite(total):
            _raise_not_finite(self.task.name, step, turn.terms, self.settings.out)
        optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        norm = self.fabric.clip_gradients(network, optimiser, max_norm=self.settings.clip)
        assert norm is not None
        optimiser.step()
        return norm

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
        save_tensors(out / CHECKPOINT, {k: v.cpu() for k, v in tensors.items()}, {"step": str(step)})

    def resume(self) -> int:
        """Put back what the checkpoint holds -> the number of steps done (0 without a checkpoint)."""
        path = self.settings.out / CHECKPOINT
        if not path.exists():
            return 0
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
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainError(f"{path}: of another version or network; remove it, or give another --out") from error
        return int(metadata["step"])


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine from 1 down to ``settings.final_lr`` at the last step."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    progress = min(1.0, step / max(1, settings.steps))
    return warm * (settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * progress)))


def _generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    state = SeedSequence([seed, step]).generate_state(1, "uint64")[0]
    return torch.Generator(device).manual_seed(int(state) % 2**63)


def _raise_not_finite(name: str, step: int, terms: Mapping[str, Tensor], out: Path) -> None:
    bad = ", ".join(term for term, value in terms.items() if not torch.isfinite(value))
    kept = (
        f"the last good checkpoint is {out / CHECKPOINT}" if (out / CHECKPOINT).exists() else "there is no checkpoint"
    )
    raise TrainError(f"{name}: loss {bad} is not finite at step {step}; {kept}; try a lower --lr")


@torch.no_grad()
def _write_pictures(
    board: SummaryWriter, task: Task, network: nn.Module, batch: Mapping[str, Tensor], step: int
) -> None:
    for name, pictures in task.pictures(network.eval(), {k: v[:4] for k, v in batch.items()}).items():
        row = torch.cat(list(pictures.float().clamp(0, 1)), dim=2)
        board.add_image(name, row.cpu(), step)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}
