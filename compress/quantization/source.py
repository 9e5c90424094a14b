"""The float program that is quantised."""

from pathlib import Path

from torch.fx import GraphModule

from tadsr.program import ProgramMetadata, program_name
from train.engine.errors import TrainError
from train.evaluation.programs import open_program


def open_float(path: Path) -> tuple[GraphModule, ProgramMetadata]:
    """The graph of a float program of free size, and its card. Raises ``TrainError`` where it is another kind."""
    program, card = open_program(path)
    if any("quantize" in str(node.target) for node in program.graph.nodes):
        raise TrainError(f"{path}: is in INT8 already; give the float program that `python -m compress.fold` writes")
    (name,) = program.graph_signature.user_inputs
    (lr,) = (node for node in program.graph.nodes if node.name == name)
    if all(isinstance(size, int) for size in lr.meta["val"].shape):
        raise TrainError(
            f"{path}: takes pictures of one size; give the program of free size, {program_name()} "
            "(ResShift's own network has none: its attention and its norms are not quantised)"
        )
    graph = program.module()
    assert isinstance(graph, GraphModule)
    return graph, card
