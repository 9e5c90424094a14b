"""Opening an exported program: the only thing of a model that this package sees."""

import logging
import warnings
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of INT8 programs, without which they do not load
from numpy.typing import NDArray
from torch.export import ExportedProgram

from export.errors import ExportError
from tadsr.program import ProgramMetadata, read_metadata

QUANTIZE = torch.ops.quantized_decomposed.quantize_per_tensor.default
DEQUANTIZE = torch.ops.quantized_decomposed.dequantize_per_tensor.default
DEQUANTIZE_WEIGHT = torch.ops.quantized_decomposed.dequantize_per_channel.default


@dataclass(frozen=True)
class Program:
    """An exported program and what exporters must know of it."""

    path: Path
    exported: ExportedProgram
    card: ProgramMetadata
    """The card beside the file."""
    precision: str
    """``fp32``, or ``int8`` where the program quantises its activations."""
    tile: int | None
    """The side of the only picture that it takes, in LR pixels; None where batch, height and width are free."""


def open_program(path: Path) -> Program:
    """The program of a ``.pt2`` file and the card beside it.

    Raises ``ExportError`` where the file is missing, damaged, or not one picture in and one out, ``ProgramError`` where
    the card is.
    """
    if not path.is_file():
        raise ExportError(
            f"{path}: no such file; make the program with `python -m compress.fold` or `python -m compress.quantize`"
        )
    card = read_metadata(path)
    if not zipfile.is_zipfile(path):  # asked first, since torch logs a traceback of its own
        raise ExportError(f"{path}: not an exported program; make it again with `python -m compress.fold`")
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)  # torch logs its tracebacks beside raising them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"{path}: not an exported program ({reason}); make it again with `python -m compress.fold`"
        ) from error
    inputs = exported.graph_signature.user_inputs
    if len(inputs) != 1 or len(exported.graph_signature.user_outputs) != 1:
        raise ExportError(
            f"{path}: takes {len(inputs)} inputs; only programs of one picture in and one out are exported"
        )
    is_int8 = any(node.target is QUANTIZE for node in exported.graph.nodes)
    return Program(path, exported, card, "int8" if is_int8 else "fp32", _tile(path, exported, str(inputs[0])))


def for_tile(program: Program, side: int) -> Program:
    """The same network for one picture of [side, side], every shape in it a number: some engines need that.

    Raises ``ExportError`` where the program is for another tile already, or ``side`` is no multiple of its ``align``.
    """
    if program.tile == side:
        return program
    if program.tile is not None:
        raise ExportError(f"{program.path}: is for tiles of {program.tile} only; give the program of free sizes")
    if side < 1 or side % program.card.align:
        raise ExportError(f"{program.path}: tiles are multiples of {program.card.align}, not {side}")
    with torch.no_grad():
        exported = torch.export.export(program.exported.module(), (torch.zeros(1, 3, side, side),))
    return replace(program, exported=exported, tile=side)


def constants(program: Program) -> dict[str, NDArray[Any]]:
    """Weights and whatever else is stored with the program, by the names of the nodes that stand for it."""
    signature = program.exported.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    stored = {**program.exported.constants, **program.exported.state_dict}
    return {node: stored[name].detach().contiguous().numpy() for node, name in names.items()}


def _tile(path: Path, program: ExportedProgram, name: str) -> int | None:
    lr = next(node for node in program.graph.nodes if node.name == name)
    batch, _, height, width = lr.meta["val"].shape
    fixed = [isinstance(length, int) for length in (batch, height, width)]
    if not any(fixed):
        return None
    if not all(fixed) or batch != 1 or height != width:
        raise ExportError(
            f"{path}: takes pictures of {batch}x3x{height}x{width}; a program has free batch, height and width, or is "
            "for one square tile"
        )
    return int(height)
