"""Micro-batches that together are one batch."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class PartialBuffers:
    """What networks note in their buffers while micro-batches pass, as if the whole batch had passed at once.

    Every part of an optimiser step starts from the same buffers, and their mean is kept: spectral norm's power
    iteration then runs as often as with one batch, and statistics are those of all parts.
    """

    def __init__(self, networks: Iterable[nn.Module], parts: int) -> None:
        self._modules = [module for network in networks for module in network.modules()] if parts > 1 else []
        self._before = self._copies()
        self._ends: list[list[Tensor]] = []

    def start(self, part: int) -> None:
        """Before the computation of each part."""
        if part:
            self._set(value.clone() for value in self._before)

    def end(self) -> None:
        """After the computation of each part."""
        self._ends.append(self._copies())

    def keep_mean(self) -> None:
        """After the last part."""
        self._set(torch.stack(values).mean(0) for values in zip(*self._ends, strict=True))

    def _places(self) -> Iterator[tuple[nn.Module, str]]:
        for module in self._modules:
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.is_floating_point():
                    yield module, name

    def _copies(self) -> list[Tensor]:
        return [getattr(module, name).clone() for module, name in self._places()]

    def _set(self, values: Iterable[Tensor]) -> None:
        """New tensors, not new values: the graph of a later optimiser step may still need the old."""
        for (module, name), value in zip(list(self._places()), values, strict=True):
            setattr(module, name, value)
