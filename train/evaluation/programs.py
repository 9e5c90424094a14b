"""Opening an exported program, float or INT8."""

import zipfile
from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of INT8 programs
from torch.export import ExportedProgram

from tadsr.program import ProgramMetadata, read_metadata
from train.engine.errors import TrainError


def open_program(path: Path) -> tuple[ExportedProgram, ProgramMetadata]:
    """The program of a ``.pt2`` file and the card beside it.

    Raises ``TrainError`` where the file is missing or damaged, ``ProgramError`` where the card is.
    """
    if not zipfile.is_zipfile(path):
        raise TrainError(f"{path}: no such program, or a damaged one; make it with `python -m compress.fold`")
    card = read_metadata(path)
    try:
        return torch.export.load(path), card
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainError(f"{path}: not an exported program ({' '.join(str(error).split())[:200]})") from error
