"""How far two results are apart, and how far they may be."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EXACT = 0.0
FLOAT64 = 1e-12
"""The same few float64 operations in another order."""
FLOAT32 = 1e-6
"""The same few float32 operations in another order, on numbers around 1."""
ONE_CALL = 2e-5
"""One call of a network: float noise between machines is 5e-6, a wrong epsilon in the group norms 4e-5."""
TRAJECTORY = 1e-3
"""Several calls in a row: random weights amplify the noise."""


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
    def unchecked(cls, names: str) -> Self:
        """Arrays that no check looks at, which is no failure."""
        return cls(names, EXACT, EXACT, "no check for this")


def compare(what: str, ours: Tensor | NDArray[np.generic], stored: Tensor | NDArray[np.generic], tolerance: float) -> Finding:
    """The largest absolute difference; ``tolerance`` is for numbers around 1, and grows with the stored ones' deviation."""
    a, b = (torch.as_tensor(x).detach().double() for x in (ours, stored))
    if a.shape != b.shape:
        return Finding(what, math.inf, tolerance, f"shape {list(a.shape)}, stored {list(b.shape)}")
    return Finding(what, float((a - b).abs().max()), tolerance * max(1.0, float(b.std(correction=0))))


def mismatches(what: str, ours: object, stored: object) -> Finding:
    """0 where the two are equal, else 1."""
    return Finding(what, float(ours != stored), EXACT)
