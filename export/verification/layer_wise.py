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

from export.errors import ExportError
from export.protocol import Findings, Tile
from export.verification.tiles import measure, require_psnr
from tadsr.program import DEQUANTIZE, QUANTIZE, Program

Steps = NDArray[np.int16]
LARGEST_STEP = 1
"""How far, in quantisation steps, any tensor of an INT8 artifact may be from the program's, given the same inputs."""


class _LayerWise(Interpreter):
    def __init__(self, program: Program, steps: Mapping[str, Steps]) -> None:
        super().__init__(program.exported.module())
        self.steps = steps
        self.compared: list[Steps] = []

    def run_node(self, n: Node) -> Any:
        source = n.args[0] if n.args else None
        if str(n.target) == DEQUANTIZE and isinstance(source, Node) and source.name in self.steps:
            scale: Any = n.args[1]
            return torch.from_numpy(self.steps[source.name].astype(np.float32)) * scale
        value = super().run_node(n)
        if str(n.target) == QUANTIZE and n.name in self.steps:
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
    """Fraction of the values that differ."""
    picture: NDArray[np.float32]
    """What the program makes of the artifact's last tensors: [N, 3, scale h, scale w]."""


def compare_steps(program: Program, picture: NDArray[np.float32], steps: Mapping[str, Steps]) -> Comparison:
    """Run the program on the picture with the artifact's tensors.

    ``steps`` holds the artifact's quantised tensors for the picture, zero points taken off, by the program's names.
    """
    layer_wise = _LayerWise(program, steps)
    with torch.no_grad():
        answer = layer_wise.run(torch.from_numpy(picture))
    values = sum(difference.size for difference in layer_wise.compared)
    return Comparison(
        largest=max(int(difference.max()) for difference in layer_wise.compared),
        differing=sum(int(np.count_nonzero(difference)) for difference in layer_wise.compared) / values,
        picture=(answer[0] if isinstance(answer, tuple | list) else answer).numpy(),
    )


def require_steps(
    program: Program, picture: Tile, steps: Mapping[str, Steps], answer: Tile, psnr: float, what: str
) -> Findings:
    """Compare all tensors, and the artifact's ``answer`` with what the program makes of the same tensors.

    Raises ``ExportError`` above ``LARGEST_STEP``, or where the answer is below ``psnr`` dB.
    """
    compared = compare_steps(program, picture, steps)
    if compared.largest > LARGEST_STEP:
        raise ExportError(
            f"{what}: a tensor is {compared.largest} steps from the program's, given the same inputs; nothing was kept"
        )
    same_steps = measure([(answer, compared.picture)])
    require_psnr(same_steps, psnr, what)
    return {
        "largest_step": compared.largest,
        "differing_steps": compared.differing,
        "psnr_of_same_steps": same_steps.worst_psnr,
    }
