"""``python -m export.executorch``: a ``.pte`` for ExecuTorch with XNNPACK, for one tile size (Android, iOS, Linux)."""

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from export.command import run_exporter
from export.errors import ExportError
from export.protocol import Engine, Findings, Report
from export.verification.tiles import compare_tiles, require_psnr
from runtime.backends.executorch import open_model
from tadsr.program import Program

REQUIRED_FRACTION = 0.99
"""The least fraction of multiply-accumulates that XNNPACK must take."""


@dataclass(frozen=True)
class ExecutorchExporter:
    """ExecuTorch with the XNNPACK delegate."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    name: str = "executorch"
    suffix: str = ".pte"
    static: bool = True
    extra: str = "executorch"
    packages: tuple[str, ...] = ("executorch",)

    def export(self, program: Program, path: Path) -> Findings:
        """Lower the program and write it.

        Raises ``ExportError`` where XNNPACK takes less than ``REQUIRED_FRACTION``, or not every convolution.
        """
        from executorch.exir.lowered_backend_module import executorch_call_delegate

        edge = lower(program)
        fraction = delegated_fraction(program, edge)
        if fraction < REQUIRED_FRACTION:
            raise ExportError(
                f"{program.path}: XNNPACK takes {fraction:.1%} of the multiply-accumulates, "
                f"{REQUIRED_FRACTION:.0%} are required; nothing was kept"
            )
        if outside := _convolutions(edge.exported_program().graph):
            names = ", ".join(node.name for node in outside[:3])
            raise ExportError(f"{program.path}: XNNPACK does not take {names}; nothing was kept")
        path.write_bytes(edge.to_executorch().buffer)
        delegates = edge.exported_program().graph.find_nodes(op="call_function", target=executorch_call_delegate)
        return {"delegated_macs": fraction, "delegated_graphs": len(delegates)}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ExecuTorch's own Python runtime, which takes as many threads as there are processors for it."""
        return open_model(path.read_bytes()).run

    def threads(self, asked: int) -> int:
        """The size of ExecuTorch's own pool, whatever number is asked for."""
        from executorch.extension.pybindings import portable_lib

        return int(portable_lib._threadpool_get_thread_count())

    def verify(self, path: Path, program: Program) -> Report:
        """Compare ExecuTorch's answers with the program's; of an INT8 file every scale and weight in its bytes too.

        Raises ``ExportError`` below ``required_psnr``, or where a number is not the program's to the bit.
        """
        report = compare_tiles(program, self.engine(path))
        require_psnr(report, self.required_psnr, str(path))
        return replace(report, findings=_check_numbers(path, program)) if self.precision == "int8" else report


def lower(program: Program) -> Any:
    """The program of one tile size with what XNNPACK takes lowered, as ExecuTorch's ``EdgeProgramManager``."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)  # what it says of its own parts is nothing a user could change
        try:
            return to_edge_transform_and_lower(_contiguous(program), partitioner=[XnnpackPartitioner()])
        finally:
            logging.disable(logging.NOTSET)


def delegated_fraction(program: Program, edge: Any) -> float:
    """The fraction of the program's multiply-accumulates that XNNPACK will compute."""
    before, after = (
        sum(map(_macs, _convolutions(graph))) for graph in (program.exported.graph, edge.exported_program().graph)
    )
    return 1 - after / before


def _contiguous(program: Program) -> ExportedProgram:
    """The program with every weight in NCHW: XNNPACK's lowering refuses the order that training leaves behind.

    Also 1x1 kernels, which are in both orders at once, but whose strides say NHWC: so would those of the tensors behind
    them, and their pixel shuffles would be copies that XNNPACK does not take.
    """
    assert program.tile is not None
    module = program.exported.module()
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return torch.export.export(module, (torch.zeros(1, 3, program.tile, program.tile),))


def _convolutions(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op == "call_function" and "conv" in str(node.target)]


def _macs(convolution: Node) -> int:
    weight = convolution.args[1]
    assert isinstance(weight, Node)
    return math.prod(convolution.meta["val"].shape) * math.prod(weight.meta["val"].shape[1:])


def _check_numbers(path: Path, program: Program) -> Findings:
    """Compare the numbers in the file's bytes with the program's. Raises ``ExportError``."""
    from export.verification import xnnpack_reader
    from export.verification.contents import contents_of, require_same

    return require_same(contents_of(program).without_names(), xnnpack_reader.read(path), str(path))


FP32 = ExecutorchExporter("fp32", required_psnr=90)
INT8 = ExecutorchExporter("int8", required_psnr=30)  # coarse: `export.verification.layer_wise` says why


def main(argv: Sequence[str] | None = None) -> None:
    run_exporter("export.executorch", FP32, INT8, argv=argv)
