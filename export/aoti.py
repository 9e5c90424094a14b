"""``python -m export.aoti``: a native package by AOTInductor, for the GPU where torch sees one, else for the CPU.

A package is machine code: it is built where it runs, into the cache, and no bundle carries one.
"""

import platform
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.export import ExportedProgram

from export import proof
from export.errors import ExportError
from export.half import example, halve
from export.local import run_local
from export.program import Program
from export.protocol import Engine, Findings, Report, Tile
from runtime import commands


@dataclass(frozen=True)
class AotiExporter:
    """AOTInductor, for programs of free sizes or for one tile size: the latter runs faster."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    static: bool
    name: str = "aoti"
    suffix: str = ".aoti.pt2"
    extra: str = "onnx"
    packages: tuple[str, ...] = ("torch",)

    def machine(self) -> tuple[str, ...]:
        """Torch's version, the device, and what the processor's code may use."""
        return (torch.__version__, device_name(), platform.machine(), torch.backends.cpu.get_cpu_capability())

    def export(self, program: Program, path: Path) -> Findings:
        """Compile and package the program. Raises ``ExportError`` where there is no C++ compiler or it fails."""
        from torch._inductor import aoti_compile_and_package
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

        try:
            get_cpp_compiler()
            with exact_float32(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # copying a program makes torch warn of itself
                aoti_compile_and_package(_on_device(program, self.precision), package_path=str(path))
        except InvalidCxxCompiler as error:
            raise ExportError(
                "AOTInductor found no C++ compiler; install one (apt install g++, xcode-select --install), or "
                "name it in the variable CXX"
            ) from error
        except CppCompileError as error:
            reason = " ".join(str(error).split())[:200]
            raise ExportError(f"{program.path}: the C++ compiler failed ({reason}); try another in CXX") from error
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The package in torch; ``threads`` is set for all of torch, which has one pool of them."""
        from torch._inductor import aoti_load_package

        if threads is not None:
            torch.set_num_threads(threads)
        package, device = aoti_load_package(str(path)), device_kind()

        def run(tile: Tile) -> Tile:
            with torch.no_grad(), exact_float32():
                answer: torch.Tensor = package(torch.from_numpy(np.ascontiguousarray(tile)).to(device))
                return answer.cpu().numpy()

        return run

    def verify(self, path: Path, program: Program) -> Report:
        """The package's answers beside the program's. Raises ``ExportError`` below ``required_psnr``."""
        report = proof.compare(program, self.engine(path))
        proof.require(report, self.required_psnr, str(path))
        return report


def device_kind() -> str:
    """``cuda`` where torch sees a GPU (``CUDA_VISIBLE_DEVICES=`` hides it), else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name() -> str:
    """The device as a cache tells it from others."""
    if device_kind() == "cpu":
        return "cpu"
    return f"{torch.cuda.get_device_name()} {torch.cuda.get_device_capability()}"


def exact_float32() -> AbstractContextManager[None]:
    """Convolutions of float32 in float32: by default cuDNN computes them in TF32, with 10 bits of mantissa."""
    context: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return context


def _on_device(program: Program, precision: str) -> ExportedProgram:
    """The program in ``precision`` on the device, with the example that AOTInductor compiles for."""
    from torch.export.passes import move_to_device_pass

    exported = halve(program) if precision == "fp16" else program.exported
    if device_kind() == "cuda":
        exported = move_to_device_pass(exported, "cuda")
    exported.example_inputs = ((example(program).to(device_kind()),), {})
    return exported


FP32, FP32_TILE = (AotiExporter("fp32", required_psnr=90, static=static) for static in (False, True))
FP16, FP16_TILE = (AotiExporter("fp16", required_psnr=55, static=static) for static in (False, True))


def main() -> None:
    run_local("export.aoti", FP32, FP32_TILE, FP16, FP16_TILE)


if __name__ == "__main__":
    commands.run(main)
