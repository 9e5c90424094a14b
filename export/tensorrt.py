"""``python -m export.tensorrt``: ONNX that obeys TensorRT's rules for strongly typed networks, and engines of it.

The ONNX file is proven on any machine; engines are built and proven where there are TensorRT and a GPU.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from export import proof
from export.command import run_exporter
from export.errors import ExportError
from export.forced import compare_steps
from export.program import Program
from export.protocol import Engine, Findings, Report
from export.trt import engine
from runtime import commands

LARGEST_STEP = 1
"""How far, in quantisation steps, any tensor of an INT8 file may be from the program's, given the same inputs."""
SAME_STEPS_PSNR = 90.0
"""Lowest PSNR in dB of the picture that an INT8 file makes of its own last integers."""


@dataclass(frozen=True)
class TensorrtExporter:
    """ONNX for TensorRT, of free sizes; an engine of it has a profile per tile size."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    name: str = "tensorrt"
    suffix: str = ".trt.onnx"
    static: bool = False
    extra: str = "onnx"
    packages: tuple[str, ...] = ("onnx", "onnxscript", "onnxruntime")
    """What writes and proves the file; TensorRT itself is not needed for that."""

    def export(self, program: Program, path: Path) -> Findings:
        """Write the file, and ``build_engine.py`` beside it. Raises ``ExportError`` where it would break a rule."""
        from export.trt import rendering, rules

        model = rendering.render(program, self.precision)
        rules.require(model, str(program.path))
        path.write_bytes(model.SerializeToString())
        engine.write_script(path.parent, program.card)
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ONNX Runtime on the CPU, unoptimised: what it says, at no speed that TensorRT would have."""
        from export.trt.reference import reference_engine

        return reference_engine(path, threads)

    def verify(self, path: Path, program: Program) -> Report:
        """The file's answers beside the program's, the rules again, and of INT8 every constant and every tensor.

        Where TensorRT and a GPU are here, also the engine's answers. Raises ``ExportError``.
        """
        import onnx

        from export.trt import rules

        rules.require(onnx.load(path), str(path))
        report = proof.compare(program, self.engine(path))
        if self.precision == "int8":
            report = replace(report, findings=_check_integers(path, program, self.engine(path)))
        proof.require(report, self.required_psnr, str(path))
        if engine.lacking() is None:
            report = replace(report, findings={**report.findings, **_check_engine(path, program, self.required_psnr)})
        return report


def _check_integers(path: Path, program: Program, run: Engine) -> Findings:
    """What proves an INT8 file, by name. Raises ``ExportError``."""
    import onnx

    from export.trt import readback, reference

    same = readback.compare(onnx.load(path), program, str(path))
    picture = proof.photo_like((1, 3, 24 * program.card.align, 20 * program.card.align))
    compared = compare_steps(program, picture, reference.quantized_tensors(path, picture))
    if compared.largest > LARGEST_STEP:
        raise ExportError(
            f"{path}: a tensor is {compared.largest} steps from the program's, given the same inputs; nothing was kept"
        )
    same_steps = proof.measure([(run(picture), compared.picture)])
    proof.require(same_steps, SAME_STEPS_PSNR, str(path))
    return {
        "scales_equal_to_the_bit": same,
        "largest_step": compared.largest,
        "differing_steps": compared.differing,
        "psnr_of_same_steps": same_steps.worst_psnr,
    }


def _check_engine(path: Path, program: Program, psnr: float) -> Findings:
    """The engine's answers, on tiles of the smallest size. Raises ``ExportError`` below ``psnr`` dB."""
    built = engine.build(path)
    run = engine.load(built, program.card.scale)
    module = program.exported.module()
    with torch.no_grad():
        tiles = proof.test_tiles(program.card.align, program.card.tiles[0])
        report = proof.measure([(run(tile), module(torch.from_numpy(tile)).numpy()) for tile in tiles])
    proof.require(report, psnr, str(built))
    return {"psnr_in_tensorrt": report.worst_psnr}


FP32 = TensorrtExporter("fp32", required_psnr=90)
FP16 = TensorrtExporter("fp16", required_psnr=55)
INT8 = TensorrtExporter("int8", required_psnr=30)  # coarse: `export.forced` says why


def main() -> None:
    run_exporter("export.tensorrt", FP32, FP16, INT8)
    if reason := engine.lacking():
        commands.say(f"no engine was built: {reason}; or run {engine.SCRIPT}, beside the file, where there is a GPU")


if __name__ == "__main__":
    commands.run(main)
