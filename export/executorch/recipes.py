"""``python -m export.executorch.recipes``: ExecuTorch's other delegates, each tried on programs and reported.

Their Python part lowers a program anywhere; the engine behind it runs on its own devices only. So nothing here is
proven but that it lowers, how much of the program, and that it can be written: no bundle carries such a file.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from export.errors import ExportError
from export.executorch.exporter import FP32, delegated_share, lower
from export.protocol import missing
from runtime.atomic import replacing
from tadsr import commands
from tadsr.program import Program, for_tile, open_program


def _coreml() -> Any:
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    return CoreMLPartitioner()


def _vulkan() -> Any:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner()


def _qnn() -> Any:
    # Asked first: importing Qualcomm's part of ExecuTorch downloads the SDK where it is not found.
    if "QNN_SDK_ROOT" not in os.environ:
        raise ExportError("needs Qualcomm's AI Runtime SDK: get it from Qualcomm, and name its folder in QNN_SDK_ROOT")
    from executorch.backends.qualcomm.partition.qnn_partitioner import QnnPartitioner
    from executorch.backends.qualcomm.serialization.qc_schema import QcomChipset
    from executorch.backends.qualcomm.utils.utils import (
        generate_htp_compiler_spec,
        generate_qnn_executorch_compiler_spec,
    )

    npu = generate_htp_compiler_spec(use_fp16=True)
    return QnnPartitioner(generate_qnn_executorch_compiler_spec(QcomChipset.SM8650, npu))


RECIPES: Mapping[str, Callable[[], Any]] = {"coreml": _coreml, "vulkan": _vulkan, "qnn": _qnn}
"""Names of delegates and how to make their partitioners (ExecuTorch 1.5.1's documentation of each backend)."""


@dataclass(frozen=True)
class Trial:
    """What became of one program with one delegate."""

    delegate: str
    program: str
    precision: str
    tile: int
    delegated_macs: float | None
    """Share of the multiply-accumulates that the delegate takes; None where nothing was lowered."""
    size: int | None
    """Of the file, in bytes."""
    problem: str | None
    """Why it cannot be lowered here, in one line."""


def attempt(program: Program, delegate: str, path: Path | None = None) -> Trial:
    """Lower a program of one tile size for the delegate, and write the file where a path is given."""
    share = size = problem = None
    try:
        edge = lower(program, RECIPES[delegate]())
        share = delegated_share(program, edge)
        data = edge.to_executorch().buffer
        size = len(data)
    except ExportError as error:
        problem = str(error)
    except Exception as error:  # other people's compilers, each with errors of its own
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]
    else:
        if path is not None:
            with replacing(path) as draft:
                draft.write_bytes(data)
    return Trial(delegate, program.path.name, program.precision, program.tile or 0, share, size, problem)


def try_all(programs: Sequence[Program], folder: Path | None = None) -> list[Trial]:
    """Every delegate on every program; files go to ``folder`` as ``student.128.vulkan.pte``. Raises ``ExportError``."""
    if reason := missing(FP32):
        raise ExportError(reason)
    if free := [program for program in programs if program.tile is None]:
        tiles = ", ".join(map(str, free[0].metadata.tiles))
        raise ExportError(f"{free[0].path}: of free sizes; a delegate is for one tile size: give --tile ({tiles})")
    jobs = [(program, delegate) for program in programs for delegate in RECIPES]
    return [
        attempt(program, delegate, folder and folder / f"{program.path.stem}.{delegate}.pte")
        for program, delegate in track(jobs, "lowering", transient=True, console=Console(stderr=True))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.executorch.recipes", description="Try other delegates.")
    parser.add_argument("programs", type=Path, nargs="+", metavar="PROGRAM.pt2", help="with program.json beside it")
    parser.add_argument("--tile", type=int, help="side of its one tile, in pixels, for a program of free sizes")
    parser.add_argument("-o", "--output", type=Path, help="a folder for the .pte files; default: they are not kept")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    arguments = parser.parse_args()
    programs = [open_program(path) for path in arguments.programs]
    if arguments.tile is not None:
        programs = [for_tile(program, arguments.tile) for program in programs]
    trials = try_all(programs, arguments.output)
    if arguments.json:
        commands.say(json.dumps([asdict(trial) for trial in trials], indent=2))
        return
    table = Table("delegate", "program", "share of MACs", "MB", "problem")
    for trial in trials:
        share = "–" if trial.delegated_macs is None else f"{trial.delegated_macs:.1%}"
        size = "–" if trial.size is None else f"{trial.size / 1e6:.2f}"
        table.add_row(trial.delegate, trial.program, share, size, trial.problem or "")
    Console().print(table, markup=False)


if __name__ == "__main__":
    commands.run(main)
