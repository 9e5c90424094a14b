"""The contract between compress and export: an exported program, and its metadata beside it as `program.json`.

torch is imported by what needs it, so that names and metadata are read without.
"""

import json
import logging
import warnings
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.atomic import replacing
from runtime.errors import TadsrError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

PROGRAM_FILE = "program.json"

QUANTIZE = "quantized_decomposed.quantize_per_tensor.default"
DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor.default"
DEQUANTIZE_WEIGHT = "quantized_decomposed.dequantize_per_channel.default"
"""The operators of INT8 programs: ``str(node.target)`` of their nodes."""


def program_name(tile: int | None = None, precision: str = "fp32") -> str:
    """File of a program: `student.pt2`, `student.128.pt2` for one tile size, `student.int8.128.pt2`."""
    parts = ("student", "" if precision == "fp32" else precision, "" if tile is None else str(tile), "pt2")
    return ".".join(part for part in parts if part)


class ProgramError(TadsrError):
    """A program or its metadata is missing, damaged, or of another kind than asked for."""


@dataclass(frozen=True)
class ProgramMetadata:
    """What an exporter must know of a program: image in, image out; every length is in LR pixels."""

    name: str
    """Name of the model, and of the bundle made of it."""
    scale: int
    """How many times larger the picture comes out."""
    align: int
    """Heights and widths must be multiples of this."""
    receptive_radius: int
    """Beyond it no input changes an output at all; the tile where the network sees the whole of one, as norms and
    attention over the whole picture do."""
    effective_radius: int
    """Beyond it no input changes any output by more than 1/4 level of 255, measured on photos."""
    tiles: list[int]
    """Tile sizes that suit the network, smallest first."""
    parameters: int
    """Numbers in the weights, as deployed."""
    macs_per_pixel: int
    """Multiply-accumulates per LR pixel, as deployed."""
    licence: str
    """Licence of the weights."""
    provenance: dict[str, Any]
    """How it was made: commands, seeds, versions; JSON-able."""

    def write(self, folder: Path) -> None:
        """Write `program.json` into the folder."""
        with replacing(folder / PROGRAM_FILE) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_metadata(program: Path) -> ProgramMetadata:
    """The metadata beside the program file. Raises `ProgramError` where they are missing or damaged."""
    path = program.parent / PROGRAM_FILE
    try:
        return ProgramMetadata(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ProgramError(
            f"{path}: no such file; make the program and its metadata with `python -m compress.fold`"
        ) from error
    except (ValueError, TypeError) as error:
        raise ProgramError(
            f"{path}: not the metadata of a program ({error}); make it again with `python -m compress.fold`"
        ) from error


@dataclass(frozen=True)
class Program:
    """An exported program: one picture [N, 3, h, w] in [0, 1] in, one [N, 3, scale h, scale w] in [0, 1] out."""

    path: Path
    exported: "ExportedProgram"
    metadata: ProgramMetadata
    precision: str
    """``fp32``, or ``int8`` where the program quantises its activations."""
    tile: int | None
    """The side of the only picture that it takes, in LR pixels; None where batch, height and width are free."""


def open_program(path: Path) -> Program:
    """Read a ``.pt2`` file and the metadata beside it.

    Raises ``ProgramError`` where either is missing or damaged, or the program is not one picture in and one out.
    """
    import torch
    import torch.ao.quantization.fx._decomposed  # registers the operators of INT8 programs: they do not load without

    if not path.is_file():
        raise ProgramError(
            f"{path}: no such file; make the program with `python -m compress.fold` or `python -m compress.quantize`"
        )
    metadata = read_metadata(path)
    if not zipfile.is_zipfile(path):  # checked first, since torch logs a traceback of its own
        raise ProgramError(f"{path}: not an exported program; make it again with `python -m compress.fold`")
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)  # torch logs its tracebacks beside raising them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ProgramError(
            f"{path}: not an exported program ({reason}); make it again with `python -m compress.fold`"
        ) from error
    inputs = exported.graph_signature.user_inputs
    if len(inputs) != 1 or len(exported.graph_signature.user_outputs) != 1:
        raise ProgramError(f"{path}: takes {len(inputs)} inputs; a program has one picture in and one out")
    is_int8 = any(str(node.target) == QUANTIZE for node in exported.graph.nodes)
    return Program(path, exported, metadata, "int8" if is_int8 else "fp32", _tile(path, exported, str(inputs[0])))


def for_tile(program: Program, side: int) -> Program:
    """Fix the program to one picture of [side, side], every shape in it a number: some engines need that.

    Raises ``ProgramError`` where it is for another tile already, or ``side`` is no multiple of its ``align``.
    """
    import torch

    if program.tile == side:
        return program
    if program.tile is not None:
        raise ProgramError(f"{program.path}: is for tiles of {program.tile} only; give the program of free sizes")
    align = program.metadata.align
    if side < 1 or side % align:
        raise ProgramError(f"{program.path}: tiles are multiples of {align}, not {side}")
    with torch.no_grad():
        exported = torch.export.export(program.exported.module(), (torch.zeros(1, 3, side, side),))
    return replace(program, exported=exported, tile=side)


def constants(program: Program) -> "dict[str, NDArray[Any]]":
    """Weights and whatever else is stored with the program, by the names of the nodes that stand for it."""
    signature = program.exported.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    stored = {**program.exported.constants, **program.exported.state_dict}
    return {node: stored[name].detach().contiguous().numpy() for node, name in names.items()}


def _tile(path: Path, exported: "ExportedProgram", name: str) -> int | None:
    lr = next(node for node in exported.graph.nodes if node.name == name)
    batch, _, height, width = lr.meta["val"].shape
    fixed = [isinstance(length, int) for length in (batch, height, width)]
    if not any(fixed):
        return None
    if not all(fixed) or batch != 1 or height != width:
        raise ProgramError(
            f"{path}: takes pictures of {batch}x3x{height}x{width}; a program has free batch, height and width, or is "
            "for one square tile"
        )
    return int(height)
