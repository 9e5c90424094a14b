"""What a run notes while it trains: losses line by line, TensorBoard, and the progress on the terminal."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from train.engine.progress import Steps
from train.engine.run_folder import LOSSES, keep_losses_before, losses_line


class Record:
    """Notes go into ``out`` from step ``start`` on; what an earlier sitting noted of later steps is dropped."""

    def __init__(self, name: str, out: Path, steps: int, start: int) -> None:
        keep_losses_before(start, out)
        self._progress = Steps(name, steps, start)
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=start)
        self._losses = (out / LOSSES).open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._losses.close()
        self._board.close()
        self._progress.__exit__(kind, error, trace)

    def measures(self, step: int, measures: Mapping[str, Tensor]) -> None:
        """Note scalars of a step; the norm of a gradient that was not finite is left out, JSON has no word for it."""
        values = {name: value.item() for name, value in measures.items()}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        self._losses.write(losses_line(step, values))
        self._losses.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._progress.show(step + 1, values)

    def pictures(self, step: int, pictures: Mapping[str, Tensor]) -> None:
        """Note rows of pictures [N, 3, H, W] in [0, 1]."""
        for name, row in pictures.items():
            self._board.add_image(name, torch.cat(list(row.float().clamp(0, 1)), dim=2).cpu(), step)
