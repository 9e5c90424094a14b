"""Opening an exported program: the only thing of a model that this package sees."""

import zipfile
from pathlib import Path

import torch
from torch.export import ExportedProgram

from export.errors import ExportError
from runtime.program import ProgramCard, read_card


def open_program(path: Path) -> tuple[ExportedProgram, ProgramCard]:
    """The program of a ``.pt2`` file and the card beside it.

    Raises ``ExportError`` where the file is missing, damaged, or not one picture in and one out, ``ProgramError`` where
    the card is.
    """
    if not path.is_file():
        raise ExportError(f"{path}: no such file; make the program with `python -m compress.fold`")
    card = read_card(path)
    if not zipfile.is_zipfile(path):  # asked first, since torch logs a traceback of its own
        raise ExportError(f"{path}: not an exported program; make it again with `python -m compress.fold`")
    try:
        program = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"{path}: not an exported program ({reason}); make it again with `python -m compress.fold`"
        ) from error
    inputs = program.graph_signature.user_inputs
    if len(inputs) != 1 or len(program.graph_signature.user_outputs) != 1:
        raise ExportError(
            f"{path}: takes {len(inputs)} inputs; only programs of one picture in and one out are exported"
        )
    return program, card
