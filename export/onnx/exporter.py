"""``python -m export.onnx``: one ONNX file with free batch, height and width (multiples of the network's strides)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.command import run_exporter
from export.half import halve
from export.protocol import Engine, Findings, Report
from export.verification.tiles import compare_tiles, require_psnr
from tadsr.program import Program


@dataclass(frozen=True)
class OnnxExporter:
    """ONNX for ONNX Runtime and OpenVINO, and in float for anything else that reads ONNX."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    name: str = "onnx"
    suffix: str = ".onnx"
    static: bool = False
    extra: str = "onnx"
    packages: tuple[str, ...] = ("onnx", "onnxscript", "onnxruntime")

    def export(self, program: Program, path: Path) -> Findings:
        """Write the file and let ONNX's own checker read it. ``OSError`` passes through."""
        import onnx

        from export.onnx import int8, pixel_shuffle, qdq_format
        from export.onnx.torch_onnx import convert

        model = convert(halve(program) if self.precision == "fp16" else program.exported)
        if self.precision == "int8":
            qdq_format.render(model, qdq_format.ONNX_RUNTIME)
        pixel_shuffle.unroll(model)
        if self.precision == "int8":
            int8.describe_headroom(model)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ONNX Runtime, on the CPU."""
        from export.onnx.engines import engine_of, in_onnxruntime

        return engine_of(in_onnxruntime(path.read_bytes(), threads))

    def threads(self, asked: int) -> int:
        """As many as asked for: ONNX Runtime takes them."""
        return asked

    def verify(self, path: Path, program: Program) -> Report:
        """Compare ONNX Runtime's answers with the program's, and OpenVINO's where it is installed.

        Of an INT8 file also every number and every quantised tensor by itself, and that every quantised convolution
        runs as integers. Raises ``ExportError`` below ``required_psnr``, above ``layer_wise.LARGEST_STEP``, where a
        number is not the program's or a convolution runs in float.
        """
        from export.onnx import engines as onnx_engines
        from export.onnx import int8
        from export.verification.onnx_reader import check_tensors

        integers = self.precision == "int8"
        found: Findings = int8.check_numbers(path, program) if integers else {}
        reports = {}
        for name, start in onnx_engines.installed().items():
            report = compare_tiles(program, onnx_engines.engine_of(start(path.read_bytes())))
            if integers:
                report = replace(report, findings=check_tensors(path, program, start, f"{path}: in {name}"))
            require_psnr(report, self.required_psnr, f"{path}: in {name}")
            reports[name] = report
        ours = reports.pop(onnx_engines.ONNX_RUNTIME)
        found |= ours.findings
        found["checked_in_openvino"] = onnx_engines.OPENVINO in reports
        for name, report in reports.items():
            found |= {f"{name}_{key}": value for key, value in report.findings.items()}
            found[f"{name}_worst_psnr"] = report.worst_psnr
        return replace(ours, findings=found)


FP32 = OnnxExporter("fp32", required_psnr=90)
FP16 = OnnxExporter("fp16", required_psnr=55)
INT8 = OnnxExporter("int8", required_psnr=30)  # coarse: `export.verification.layer_wise` holds every tensor to a step


def main(argv: Sequence[str] | None = None) -> None:
    run_exporter("export.onnx", FP32, FP16, INT8, argv=argv)
