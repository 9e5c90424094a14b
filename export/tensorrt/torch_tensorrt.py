"""``python -m export.tensorrt.torch_tensorrt``: a float program compiled by Torch-TensorRT, for who runs it in torch.

The engine inside is of this machine's GPU: it is built into the cache, and no bundle carries one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from export.errors import ExportError
from export.half import halve
from export.local import run_local
from export.protocol import Engine, Findings, Report, Tile
from export.verification.tiles import compare_tiles, require_psnr, tiles_for
from runtime.backends.base import INPUT
from runtime.cache import cache_folder
from tadsr import commands
from tadsr.program import Program


@dataclass(frozen=True)
class TorchTensorrtExporter:
    """Torch-TensorRT, for tiles of every size in the metadata.

    INT8 goes by ``export.tensorrt``: Torch-TensorRT converts none of the operators of INT8 programs, and would leave
    every rounding to torch.
    """

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    name: str = "torch-tensorrt"
    suffix: str = ".trt.pt2"
    static: bool = False
    extra: str = "tensorrt"
    packages: tuple[str, ...] = ("torch_tensorrt",)

    def machine(self) -> tuple[str, ...]:
        """The versions and the GPU."""
        import tensorrt

        return (torch.__version__, tensorrt.__version__, *_gpu())

    def export(self, program: Program, path: Path) -> Findings:
        """Compile the whole program to one engine and save it. Raises ``ExportError`` where that cannot be done."""
        _gpu()
        import torch_tensorrt
        from torch.export.passes import move_to_device_pass

        exported = halve(program) if self.precision == "fp16" else program.exported
        smallest, largest = ((1, 3, tile, tile) for tile in (program.metadata.tiles[0], program.metadata.tiles[-1]))
        inputs = [
            torch_tensorrt.Input(
                min_shape=smallest, opt_shape=smallest, max_shape=largest, dtype=torch.float32, name=INPUT
            )
        ]
        try:
            compiled = torch_tensorrt.dynamo.compile(
                move_to_device_pass(exported, "cuda"),
                arg_inputs=inputs,
                require_full_compilation=True,  # what is left to torch should be an error, and not slow
                disable_tf32=True,
                timing_cache_path=str(cache_folder() / "torch_tensorrt.timings"),
            )
            torch_tensorrt.save(compiled, str(path), output_format="exported_program", arg_inputs=inputs)
        except (RuntimeError, AssertionError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ExportError(
                f"{program.path}: Torch-TensorRT could not compile it ({reason}); take `python -m export.tensorrt`"
            ) from error
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The saved program in torch; a GPU is not asked for threads."""
        import torch_tensorrt

        module = torch_tensorrt.load(str(path)).module()

        def run(tile: Tile) -> Tile:
            with torch.no_grad():
                answer: torch.Tensor = module(torch.from_numpy(np.ascontiguousarray(tile)).cuda())
                return answer.cpu().numpy()

        return run

    def threads(self, asked: int) -> int:
        """Any number: the GPU computes."""
        return asked

    def verify(self, path: Path, program: Program) -> Report:
        """Compare the engine's answers with the program's. Raises ``ExportError`` below ``required_psnr``."""
        tiles = tiles_for(program.metadata.align, program.metadata.tiles[0])
        report = compare_tiles(program, self.engine(path), tiles)
        require_psnr(report, self.required_psnr, str(path))
        return report


def _gpu() -> tuple[str, str]:
    if not torch.cuda.is_available():
        raise ExportError("torch sees no NVIDIA GPU; Torch-TensorRT builds for the GPU of the machine that it runs on")
    return torch.cuda.get_device_name(), str(torch.cuda.get_device_capability())


FP32 = TorchTensorrtExporter("fp32", required_psnr=90)
FP16 = TorchTensorrtExporter("fp16", required_psnr=55)


def main(argv: Sequence[str] | None = None) -> None:
    run_local("export.tensorrt.torch_tensorrt", FP32, FP16, argv=argv)


if __name__ == "__main__":
    commands.run(main)
