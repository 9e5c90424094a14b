"""The one training loop: one process or many, mixed precision, EMA, pictures, and exact resume after being killed.

Everything random in step i is drawn from a generator seeded by (seed, i), and the crops of step i are a pure function
of (seed, i) too. So a checkpoint holds no random state, and a resumed run repeats the other's losses to the bit. The
numbers belong to the global batch: processes and micro-batches that share it see theirs of the same ones.
"""

import logging
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from train.data.crops import loader
from train.engine import processes
from train.engine.record import Record
from train.engine.run_folder import open_run
from train.engine.settings import TrainingSettings
from train.engine.state import State
from train.engine.task import Task

_log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """The outcome of a run so far."""

    network: nn.Module
    """The first trainable's averaged network, in eval mode."""
    steps: int
    """Steps done, of this and earlier sittings."""


def train(task: Task, settings: TrainingSettings, dataset: Dataset[dict[str, Tensor]]) -> Trained:
    """Train to ``settings.steps`` steps or ``settings.minutes`` on ``dataset``, whose item i must depend on i alone.

    Resumes the run found in ``settings.out``. Raises ``TrainError`` where that run has other settings, where a loss
    is not finite, or where a file cannot be written.
    """
    processes.quiet_unless_first()
    if processes.is_first():
        open_run(settings)
    state = State(task, settings)
    start, fabric = state.resume(), state.fabric
    batches = loader(
        dataset,
        settings.batch,
        start,
        settings.steps - start,
        settings.workers,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    if start:
        _log.info("%s: goes on from step %d of %d in %s", task.name, start, settings.steps, settings.out)

    done = start
    deadline = time.monotonic() + 60 * settings.minutes if settings.minutes else math.inf
    first = fabric.is_global_zero
    with Record(task.name, settings.out, settings.steps, start) if first else nullcontext() as record:
        for step, batch in enumerate(fabric.setup_dataloaders(batches, use_distributed_sampler=False), start):
            measures = state.step(step, batch)
            done = step + 1
            last = done == settings.steps
            if settings.minutes:
                last = fabric.broadcast(last or time.monotonic() > deadline)
            if record and (done % settings.log_every == 0 or last):
                record.measures(step, measures)
            if record and done % settings.picture_every == 0:
                record.pictures(step, _pictures(task, state.average.module, batch))
            if first and (done % settings.save_every == 0 or last):
                state.save(done)
            if last:
                break
    return Trained(state.average.module.eval(), done)


@torch.no_grad()
def _pictures(task: Task, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return task.pictures(network.eval(), {k: v[:4] for k, v in batch.items()})
