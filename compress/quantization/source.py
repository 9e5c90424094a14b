"""The float program that is quantised."""

from pathlib import Path

from torch.fx import GraphModule

from tadsr.program import ProgramMetadata, open_program, program_name
from train.engine.errors import TrainError


def open_float(path: Path) -> tuple[GraphModule, ProgramMetadata]:
    """The graph of a float program of free size, and its metadata.

    Raises ``TrainError`` where it is another kind, ``ProgramError`` where it is none.
    """
    program = open_program(path)
    if program.precision == "int8":
        raise TrainError(f"{path}: is in INT8 already; give the float program that `python -m compress.fold` writes")
    if program.tile is not None:
        raise TrainError(
            f"{path}: takes pictures of one size; give the program of free size, {program_name()} "
            "(ResShift's own network has none: its attention and its norms are not quantised)"
        )
    graph = program.exported.module()
    assert isinstance(graph, GraphModule)
    return graph, program.metadata
