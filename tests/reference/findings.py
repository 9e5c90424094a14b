"""How far two results are apart, and how far they may be."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Perturb = Callable[[Tensor], Tensor]
Array = Tensor | NDArray[np.generic]

EXACT = 0.0
FLOAT64 = 1e-12
"""The same few float64 operations in another order."""
FLOAT32 = 1e-6
"""The same few float32 operations in another order."""
INPUT_NOISE = 1e-6
"""Noise of a network's input whose effect is about that of float32's rounding inside."""
ONE_CALL = 2e-5
"""One call of a network: well above its noise, and below the 4e-5 that a wrong epsilon in the group norms makes."""
DECODED = 1e-4
"""One call of a decoder: its noise reaches 2.4e-5, a wrong epsilon makes 2e-4."""
SAFETY = 4
"""How many times the effect of such noise is granted where it is measured."""


@dataclass(frozen=True)
class Finding:
    """One comparison, or the reason why there is none."""

    what: str
    error: float
    """Largest absolute difference."""
    tolerance: float
    note: str = ""
    """For a comparison that did not take place."""

    @property
    def ok(self) -> bool:
        return self.error <= self.tolerance

    @classmethod
    def broken(cls, error: Exception) -> Self:
        """A file that could not be checked, which is not ok."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return cls("cannot be checked", math.inf, EXACT, reason[:300])

    @classmethod
    def unchecked(cls, what: str) -> Self:
        """Arrays that no check looks at, which is no failure."""
        return cls(what, EXACT, EXACT, "no check for this")


def rms(x: Array) -> float:
    """Root mean square."""
    return float(torch.as_tensor(x).double().square().mean().sqrt())


def difference(what: str, ours: Array, stored: Array, tolerance: float) -> Finding:
    """The largest absolute difference of two arrays, against an absolute tolerance."""
    a, b = (torch.as_tensor(x).detach().double() for x in (ours, stored))
    if a.shape != b.shape:
        return Finding(what, math.inf, tolerance, f"shape {list(a.shape)}, stored {list(b.shape)}")
    return Finding(what, float((a - b).abs().max()), tolerance)


def compare(what: str, ours: Array, stored: Array, tolerance: float) -> Finding:
    """The largest absolute difference of two arrays, against a tolerance relative to the stored root mean square.

    Below a root mean square of 1 the tolerance is absolute.
    """
    return difference(what, ours, stored, tolerance * max(1.0, rms(stored)))


def mismatch(what: str, ours: object, stored: object) -> Finding:
    """A finding of error 0 where the two are equal, else 1."""
    return Finding(what, float(ours != stored), EXACT)


def with_sensitivity(run: Callable[[Perturb], dict[str, Tensor]]) -> dict[str, tuple[Tensor, float]]:
    """The results of ``run``, each with how far it may be off because the network magnifies float noise.

    Random weights magnify it by any factor, most of all at small t and over many calls. So the factor is measured: in a
    second run, what goes through ``run``'s argument comes out with noise.
    """
    generator = torch.Generator().manual_seed(0)

    def perturb(x: Tensor) -> Tensor:
        return x + INPUT_NOISE * torch.randn(x.shape, generator=generator)

    results, perturbed = run(lambda x: x), run(perturb)
    return {
        name: (value.detach(), SAFETY * float((value - perturbed[name]).detach().abs().max()))
        for name, value in results.items()
    }


def compare_all(ours: dict[str, tuple[Tensor, float]], stored: Mapping[str, Array], least: float) -> Iterator[Finding]:
    """Compare the results of ``with_sensitivity`` with the stored arrays of the same names.

    ``least`` is the smallest tolerance, relative to the root mean square of an array.
    """
    for name, (value, tolerance) in ours.items():
        yield difference(name, value, stored[name], max(tolerance, least * rms(stored[name])))
