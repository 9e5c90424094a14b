"""An INT8 artifact beside its program, tensor by tensor, each computed from the artifact's own inputs.

Whole pictures say little: where a value lies between two steps, the last bit of float arithmetic decides, and after a
few layers the rounding of two right answers has nothing in common (torch against itself, with and without oneDNN:
47 dB). So the program is run anew, and every quantised tensor, once compared, is replaced by the artifact's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx import Interpreter, Node

from export.program import DEQUANTIZE, QUANTIZE, Program

Steps = NDArray[np.int16]


class _Forced(Interpreter):
    def __init__(self, program: Program, steps: Mapping[str, Steps]) -> None:
        super().__init__(program.exported.module())
        self.steps = steps
        self.compared: list[Steps] = []

    def run_node(self, n: Node) -> Any:
        source = n.args[0] if n.args else None
        if n.target is DEQUANTIZE and isinstance(source, Node) and source.name in self.steps:
            scale: Any = n.args[1]
            return torch.from_numpy(self.steps[source.name].astype(np.float32)) * scale
        value = super().run_node(n)
        if n.target is QUANTIZE and n.name in self.steps:
            limits: Any = n.args[3:5]
            theirs = self.steps[n.name].clip(*limits)  # headroom is not an error
            self.compared.append(np.abs(theirs - value.numpy().astype(np.int16)))
        return value


@dataclass(frozen=True)
class Comparison:
    """An artifact's tensors beside those that the program computes from the same inputs."""

    largest: int
    """Largest difference of any value, in quantisation steps."""
    differing: float
    """Share of the values that differ."""
    picture: NDArray[np.float32]
    """What the program makes of the artifact's last tensors: [N, 3, scale h, scale w]."""


def compare_steps(program: Program, picture: NDArray[np.float32], steps: Mapping[str, Steps]) -> Comparison:
    """Run the program on the picture with the artifact's tensors.

    ``steps`` holds the artifact's quantised tensors for the picture, zero points taken off, by the program's names.
    """
    forced = _Forced(program, steps)
    with torch.no_grad():
        answer = forced.run(torch.from_numpy(picture))
    values = sum(difference.size for difference in forced.compared)
    return Comparison(
        largest=max(int(difference.max()) for difference in forced.compared),
        differing=sum(int(np.count_nonzero(difference)) for difference in forced.compared) / values,
        picture=(answer[0] if isinstance(answer, tuple | list) else answer).numpy(),
    )
