"""``python -m export.onnx``: fp32 ONNX, one file, free batch, height and width (multiples of the network's strides)."""

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch.export import ExportedProgram

from export import verify
from export.errors import ExportError
from export.program import open_program
from export.protocol import Report
from runtime import commands
from runtime.atomic import replacing

OPSET = 20
INPUT, OUTPUT = "lr", "sr"
AXES = ("batch", None, "height", "width")


class OnnxExporter:
    """ONNX for ONNX Runtime (and anything else that reads ONNX), in float32."""

    name = "onnx"
    precision = "fp32"
    suffix = ".onnx"
    required_psnr = 90.0

    def export(self, program: ExportedProgram, path: Path) -> None:
        """Write the file and let ONNX's own checker read it. ``OSError`` passes through."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            converted = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET, verbose=False
            )
        assert converted is not None
        model = converted.model_proto
        _name_axes(model)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())

    def verify(self, path: Path, program: ExportedProgram, align: int) -> Report:
        """ONNX Runtime's answers beside the program's. Raises ``ExportError`` below ``required_psnr``."""
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def engine(tile: verify.Tile) -> verify.Tile:
            return np.asarray(session.run([OUTPUT], {INPUT: tile})[0])

        report = verify.compare(program, engine, verify.test_tiles(align))
        verify.require(report, self.required_psnr, str(path))
        return report


def _name_axes(model: onnx.ModelProto) -> None:
    """Free axes called by what they are; the exporter invents names of its own."""
    graph = model.graph
    del graph.value_info[:]
    for value, factor in ((graph.input[0], ""), (graph.output[0], "_out")):
        for dimension, axis in zip(value.type.tensor_type.shape.dim, AXES, strict=True):
            if axis:
                dimension.dim_param = axis if axis == "batch" else f"{axis}{factor}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m export.onnx", description="Export a program as fp32 ONNX and verify it."
    )
    parser.add_argument("program", type=Path, help="student.pt2, with its program.json beside it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .onnx file to write")
    arguments = parser.parse_args()
    program, card = open_program(arguments.program)
    exporter = OnnxExporter()
    try:
        with replacing(arguments.output) as draft:  # an earlier file survives until the new one is proven
            exporter.export(program, draft)
            report = exporter.verify(draft, program, card.align)
    except OSError as error:
        raise ExportError(f"{arguments.output}: cannot be written ({error.strerror}); choose another -o") from error
    commands.say(
        f"{arguments.output}: {report.worst_psnr:.1f} dB from the program at worst, "
        f"largest error {report.largest_error:.1e}"
    )


if __name__ == "__main__":
    commands.run(main)
