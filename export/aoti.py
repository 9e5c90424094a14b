"""``python -m export.aoti``: a native package by AOTInductor, for the GPU where torch sees one, else for the CPU.

A package is machine code: it is built where it runs, into the cache, and no bundle carries one.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.export import ExportedProgram

from export.errors import ExportError
from export.half import example, halve
from export.local import run_local
from export.protocol import Engine, Findings, Report
from export.verification.tiles import compare_tiles, require_psnr
from runtime.backends.aoti import NAME, SUFFIX, device_kind, exact_float32, machine, open_package
from tadsr import commands
from tadsr.program import Program


@dataclass(frozen=True)
class AotiExporter:
    """AOTInductor, for programs of free sizes or for one tile size: the latter runs faster."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    static: bool
    name: str = NAME
    suffix: str = SUFFIX
    extra: str = "onnx"
    packages: tuple[str, ...] = ("torch",)

    def machine(self) -> tuple[str, ...]:
        """What a package depends on: torch, the compiler's target and the device."""
        return machine()

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
        return open_package(path, threads).run

    def threads(self, asked: int) -> int:
        """As many as asked for: all of torch is given them."""
        return asked

    def verify(self, path: Path, program: Program) -> Report:
        """Compare the package's answers with the program's. Raises ``ExportError`` below ``required_psnr``."""
        report = compare_tiles(program, self.engine(path))
        require_psnr(report, self.required_psnr, str(path))
        return report


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


def main(argv: Sequence[str] | None = None) -> None:
    run_local("export.aoti", FP32, FP32_TILE, FP16, FP16_TILE, argv=argv)


if __name__ == "__main__":
    commands.run(main)
