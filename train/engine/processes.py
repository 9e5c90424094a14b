"""One process or many: what ``torchrun`` started, and what the processes of a run share.

Every process holds whole replicas. Their gradients are averaged once per optimiser step, after its last micro-batch.
PyTorch's ``DistributedDataParallel`` would do it while backward still runs, but counts on every forward being followed
by its own backward: it cannot know a network that is used frozen in another's step, or a student whose forward comes
before the discriminator's step and whose backward after it. What its overlap would save is small here, where most of a
step is the frozen teacher's.
"""

import atexit
import logging
import os
from collections.abc import Iterable

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from train.engine.errors import TrainError

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # importing it set it to announce its precision


def world_size() -> int:
    """How many processes ``torchrun`` started on all machines together; 1 without it."""
    return _from_torchrun("WORLD_SIZE", 1)


def is_first() -> bool:
    """Whether this is the process that writes the files: the only one, or rank 0 of many."""
    return _from_torchrun("RANK", 0) == 0


def quiet_unless_first() -> None:
    """Leave it to the first process to log what all of them find."""
    if not is_first():
        logging.getLogger("train").setLevel(logging.ERROR)


def connect(device: str, precision: str) -> Fabric:
    """The engine for this process, and its connection to the others where there are any.

    Raises ``TrainError`` where the device, or one for each process, is not to be had, or cannot do that arithmetic.
    """
    if precision == "16-mixed" and (device in ("cpu", "mps") or not torch.cuda.is_available()):
        raise TrainError("--precision 16-mixed: needs a CUDA GPU; give bf16-mixed or 32-true")
    world, local = world_size(), _from_torchrun("LOCAL_WORLD_SIZE", 1)
    try:
        fabric = Fabric(
            accelerator=device,
            devices=local,
            num_nodes=world // local,
            strategy=_Replicas() if world > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError) as error:  # Lightning's own exceptions derive from these
        each = "" if local == 1 else f" for each of {local} processes"
        raise TrainError(f"--device {device}: not to be had here{each}; give --device auto or cpu") from error
    fabric.launch()
    if world > 1:
        atexit.register(_part)
    return fabric


def _part() -> None:
    """Before the interpreter ends: threads of gloo that outlive it abort the process."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class _Replicas(DDPStrategy):
    """Processes that are connected, with networks that are not wrapped: see the module's text."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module


@torch.no_grad()
def average(fabric: Fabric, tensors: Iterable[Tensor]) -> None:
    """Replace the values of every tensor by their mean over the processes, in one message."""
    if fabric.world_size == 1:
        return
    together = list(tensors)
    if together:
        flat = torch.cat([tensor.reshape(-1) for tensor in together])
        fabric.all_reduce(flat, reduce_op="mean")
        _spread(flat, together)


@torch.no_grad()
def start_equal(fabric: Fabric, tensors: Iterable[Tensor]) -> None:
    """Give every process the first one's values."""
    if fabric.world_size == 1:
        return
    together = list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in together])
    torch.distributed.broadcast(flat, 0)
    _spread(flat, together)


def check_equal_start(fabric: Fabric, start: int) -> None:
    """Raise ``TrainError`` where the processes found checkpoints of other steps: their --out is not one folder."""
    if fabric.world_size > 1 and fabric.broadcast(start) != start:
        raise TrainError("--out: the processes see other checkpoints in it; give a folder that all machines share")


def _spread(flat: Tensor, tensors: list[Tensor]) -> None:
    for tensor, values in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(values.view(tensor.shape))


def _from_torchrun(name: str, alone: int) -> int:
    return int(os.environ[name]) if torch.distributed.is_torchelastic_launched() else alone
