"""The random numbers of a step: the same for a global batch however many processes and micro-batches share it."""

from collections.abc import Sequence

import torch
from numpy.random import SeedSequence
from torch import Tensor

_CPU = torch.device("cpu")


class Noise:
    """What part ``part`` of ``parts`` equal parts of the global batch sees of the numbers drawn in step ``step``.

    Every part draws for the whole batch, in the same order, and keeps its own slice: noise is cheap beside networks.
    """

    def __init__(self, seed: int, step: int, device: torch.device = _CPU, part: int = 0, parts: int = 1) -> None:
        state = SeedSequence([seed, step]).generate_state(1, "uint64")[0]
        self._generator = torch.Generator(device).manual_seed(int(state) % 2**63)
        self._part, self._parts = part, parts

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers of ``shape`` [n, ...], n the samples of this part."""
        n, *rest = shape
        whole = torch.randn(n * self._parts, *rest, generator=self._generator, device=self._generator.device)
        return self._slice(whole, n)

    def times(self, below: int, n: int) -> Tensor:
        """Uniform integers [n] from 0 to below ``below``, n the samples of this part."""
        whole = torch.randint(below, (n * self._parts,), generator=self._generator, device=self._generator.device)
        return self._slice(whole, n)

    def shift(self, below: int) -> tuple[int, int]:
        """Two uniform integers from 0 to below ``below``, the same for all samples."""
        down, right = torch.randint(below, (2,), generator=self._generator, device=self._generator.device).tolist()
        return down, right

    def _slice(self, whole: Tensor, n: int) -> Tensor:
        return whole[self._part * n : (self._part + 1) * n]
