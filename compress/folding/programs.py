"""Networks as exported programs: of free size, of fixed tiles, and what they cost."""

import io
import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from runtime.atomic import replacing
from train.evaluation.macs import macs_per_pixel


def export_free(network: nn.Module, align: int) -> ExportedProgram:
    """The graph with free batch, height and width; heights and widths must be multiples of ``align``."""
    example = torch.rand(2, 3, 16 * align, 24 * align)  # every free size differs, so that none is taken for another
    free = {"lr": {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}
    network.eval()
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=free)


def export_static(network: nn.Module, tile: int) -> ExportedProgram:
    """The graph for one picture of tile x tile, every shape in it a number."""
    network.eval()
    with torch.no_grad():
        return torch.export.export(network, (torch.rand(1, 3, tile, tile),))


_HISTORY = ("stack_trace", "from_node", "torch_fn")
"""What PyTorch notes on every node of where it came from: paths of this machine, and numbers that no two runs share."""


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write the program; an earlier file is replaced only by a whole one."""
    program.example_inputs = None  # a picture of the largest size, which nobody needs
    for node in program.graph.nodes:
        for note in _HISTORY:
            node.meta.pop(note, None)
    stored = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, stored)
    with replacing(path) as draft:
        _pack(stored, draft)


def _pack(stored: io.BytesIO, packed: Path) -> None:
    """The archive with the text in it compressed: of an INT8 program it is a third. Weights stay as they are."""
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            how = zipfile.ZIP_DEFLATED if entry.filename.endswith(".json") else zipfile.ZIP_STORED
            undated = zipfile.ZipInfo(entry.filename)  # equal programs are equal files
            target.writestr(undated, source.read(entry), how)


def count_macs(network: nn.Module, side: int = 64) -> int:
    """Multiply-accumulates of all convolutions and matrix products per LR pixel, on a square of ``side``."""
    with torch.no_grad():
        return macs_per_pixel(lambda: network(torch.zeros(1, 3, side, side)), side)
