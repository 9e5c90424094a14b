"""``python -m export.executorch``: a ``.pte`` for ExecuTorch with XNNPACK, for one tile size (Android, iOS, Linux)."""

import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from export import proof
from export.command import run_exporter
from export.errors import ExportError
from export.program import Program
from export.protocol import Engine, Findings, Report, Tile
from runtime import commands

REQUIRED_SHARE = 0.99
"""The least share of multiply-accumulates that XNNPACK must take."""


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
        """Lower the program and write it. Raises ``ExportError`` where XNNPACK takes less than ``REQUIRED_SHARE``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)  # what it says of its own parts is nothing a user could mend
            try:
                edge = _lower(_contiguous(program))
            finally:
                logging.disable(logging.NOTSET)
        total, outside = (_macs(graph.graph) for graph in (program.exported, edge.exported_program()))
        share = 1 - outside / total
        if share < REQUIRED_SHARE:
            raise ExportError(
                f"{program.path}: XNNPACK takes {share:.1%} of the multiply-accumulates, "
                f"{REQUIRED_SHARE:.0%} are required; nothing was kept"
            )
        path.write_bytes(edge.to_executorch().buffer)
        return {"delegated_macs": share}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ExecuTorch's own Python runtime, which takes as many threads as there are processors for it."""
        from executorch.runtime import Runtime

        loaded = Runtime.get().load_program(path.read_bytes())
        method = loaded.load_method("forward")
        assert method is not None

        def run(tile: Tile) -> Tile:
            assert loaded is not None  # the method lives in it
            answer: torch.Tensor = method.execute([torch.from_numpy(np.ascontiguousarray(tile))])[0]
            return answer.numpy().copy()  # the method writes its next answer to the same memory

        return run

    def verify(self, path: Path, program: Program) -> Report:
        """ExecuTorch's answers beside the program's. Raises ``ExportError`` below ``required_psnr``."""
        report = proof.compare(program, self.engine(path))
        proof.require(report, self.required_psnr, str(path))
        return report


def _contiguous(program: Program) -> ExportedProgram:
    """The same program with every weight in NCHW: XNNPACK's lowering refuses the order that training leaves behind."""
    assert program.tile is not None
    module = program.exported.module()
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous()
    return torch.export.export(module, (torch.zeros(1, 3, program.tile, program.tile),))


def _lower(program: ExportedProgram) -> Any:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    return to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])


def _macs(graph: torch.fx.Graph) -> int:
    """Multiply-accumulates of the convolutions of a graph."""
    return sum(
        math.prod(node.meta["val"].shape) * math.prod(node.args[1].meta["val"].shape[1:])
        for node in graph.nodes
        if node.op == "call_function" and "conv" in str(node.target)
    )


FP32 = ExecutorchExporter("fp32", required_psnr=90)
INT8 = ExecutorchExporter("int8", required_psnr=30)  # coarse: `export.forced` says why

if __name__ == "__main__":
    commands.run(lambda: run_exporter("export.executorch", FP32, INT8))
