"""A float program in float16: strongly typed engines compute in the types that they find in a graph."""

import copy
import warnings

import torch
from torch.export import Dim, ExportedProgram

from runtime.backends.base import INPUT
from tadsr.program import Program

FREE = {INPUT: {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}


class _Half(torch.nn.Module):
    """A program whose weights and tensors are float16; pictures come and go in float32."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self.program = copy.deepcopy(program.module()).half()  # in place, and the weights are the program's

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """lr [N, 3, h, w] in [0, 1] -> [N, 3, scale h, scale w]."""
        answer: torch.Tensor = self.program(lr.half())
        return answer.float()


def halve(program: Program) -> ExportedProgram:
    """The program in float16, of the same sizes."""
    sizes = FREE if program.tile is None else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copying a program's module makes torch warn of itself
        return torch.export.export(_Half(program.exported), (example(program),), dynamic_shapes=sizes)


def example(program: Program) -> torch.Tensor:
    """A black picture that the program takes; [2, 3, h, w] where sizes are free: a 1 would pass for a constant."""
    align = program.metadata.align
    return torch.zeros((1, 3, program.tile, program.tile) if program.tile else (2, 3, 16 * align, 24 * align))
