"""``python -m export.tensorrt``: ONNX that obeys TensorRT's rules for strongly typed networks, and engines of it.

The ONNX file is proven on any machine; engines are built and proven where there are TensorRT and a GPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.command import run_exporter
from export.protocol import Engine, Findings, Report
from export.tensorrt import engine
from export.verification.tiles import compare_tiles, require_psnr, tiles_for
from runtime.backends.tensorrt import open_engine
from tadsr import commands
from tadsr.program import Program


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
        from export.tensorrt import rendering, rules

        model = rendering.render(program, self.precision)
        rules.require(model, str(program.path))
        path.write_bytes(model.SerializeToString())
        engine.write_script(path.parent, program.metadata)
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ONNX Runtime on the CPU, unoptimised: what it says, at no speed that TensorRT would have."""
        from export.onnx.engines import as_written, engine_of

        return engine_of(as_written(path.read_bytes(), threads))

    def threads(self, asked: int) -> int:
        """As many as asked for: ONNX Runtime takes them."""
        return asked

    def verify(self, path: Path, program: Program) -> Report:
        """Compare the file's answers with the program's, hold it to the rules again, and of INT8 compare every number.

        Where TensorRT and a GPU are here, also the engine's answers. Raises ``ExportError``.
        """
        import onnx

        from export.tensorrt import rules

        rules.require(onnx.load(path), str(path))
        report = compare_tiles(program, self.engine(path))
        if self.precision == "int8":
            report = replace(report, findings=_check_integers(path, program))
        require_psnr(report, self.required_psnr, str(path))
        if engine.lacking() is None:
            report = replace(report, findings={**report.findings, **_check_engine(path, program, self.required_psnr)})
        return report


def _check_integers(path: Path, program: Program) -> Findings:
    """What proves an INT8 file, by name. Raises ``ExportError``."""
    import onnx

    from export.onnx.engines import as_written
    from export.onnx.qdq_format import TENSORRT
    from export.verification.contents import contents_of, require_same
    from export.verification.onnx_reader import check_tensors, read

    same = require_same(contents_of(program), read(onnx.load(path), TENSORRT, str(path)), str(path))
    return {**same, **check_tensors(path, program, as_written, str(path))}


def _check_engine(path: Path, program: Program, psnr: float) -> Findings:
    """The engine's answers, on tiles of the smallest size. Raises ``ExportError`` below ``psnr`` dB."""
    built = engine.build(path)
    tiles = tiles_for(program.metadata.align, program.metadata.tiles[0])
    report = compare_tiles(program, open_engine(built).run, tiles)
    require_psnr(report, psnr, str(built))
    return {"psnr_in_tensorrt": report.worst_psnr}


FP32 = TensorrtExporter("fp32", required_psnr=90)
FP16 = TensorrtExporter("fp16", required_psnr=55)
INT8 = TensorrtExporter("int8", required_psnr=30)  # coarse: `export.verification.layer_wise` says why


def main(argv: Sequence[str] | None = None) -> None:
    run_exporter("export.tensorrt", FP32, FP16, INT8, argv=argv)
    if reason := engine.lacking():
        commands.say(f"no engine was built: {reason}; or run {engine.SCRIPT}, beside the file, where there is a GPU")
