"""``python -m export.onnx``: one ONNX file with free batch, height and width (multiples of the network's strides)."""

import logging
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from export import proof
from export.command import run_exporter
from export.errors import ExportError
from export.forced import Steps, compare_steps
from export.program import Program
from export.protocol import Engine, Findings, Report, Tile
from export.saturation import LARGEST_PAIR, largest_pair
from runtime import commands

if TYPE_CHECKING:
    import onnx

OPSET = 20
INPUT, OUTPUT = "lr", "sr"
AXES = ("batch", None, "height", "width")
PROVIDERS = ["CPUExecutionProvider"]
ERRORS_ONLY = 3
LARGEST_STEP = 1
"""How far, in quantisation steps, any tensor of an INT8 artifact may be from the program's, given the same inputs."""


@dataclass(frozen=True)
class OnnxExporter:
    """ONNX for ONNX Runtime (and, in float, anything else that reads ONNX)."""

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

        from export import dialects, pixel_shuffle

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            converted = torch.onnx.export(
                program.exported,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                verbose=False,
            )
        assert converted is not None
        model = converted.model_proto
        if self.precision == "int8":
            dialects.render(model, dialects.ONNX_RUNTIME)
        pixel_shuffle.unroll(model)
        _name_axes(model)
        _drop_traces(model)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in ONNX Runtime, on the CPU."""
        session = _session(path.read_bytes(), threads)

        def run(tile: Tile) -> Tile:
            return np.asarray(session.run([OUTPUT], {INPUT: tile})[0])

        return run

    def verify(self, path: Path, program: Program) -> Report:
        """ONNX Runtime's answers beside the program's.

        Of an INT8 file also every quantised tensor by itself, and that every quantised convolution runs as integers.
        Raises ``ExportError`` below ``required_psnr``, above ``LARGEST_STEP``, or where one runs in float.
        """
        report = proof.compare(program, self.engine(path))
        if self.precision == "int8":
            report = replace(report, findings=_check_integers(path, program, self.engine(path)))
        proof.require(report, self.required_psnr, str(path))
        return report


def _session(model: bytes, threads: int | None = None, optimized: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Threads of one session would go on spinning into the next session's run, which is timed beside it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model, options, providers=PROVIDERS)


def _name_axes(model: "onnx.ModelProto") -> None:
    """Free axes called by what they are; the exporter invents names of its own."""
    graph = model.graph
    del graph.value_info[:]
    for value, factor in ((graph.input[0], ""), (graph.output[0], "_out")):
        for dimension, axis in zip(value.type.tensor_type.shape.dim, AXES, strict=True):
            if axis:
                dimension.dim_param = axis if axis == "batch" else f"{axis}{factor}"


def _drop_traces(model: "onnx.ModelProto") -> None:
    """Away with where, in whose source files, each node was traced: a sixth of an INT8 file, and nobody's business."""
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _check_integers(path: Path, program: Program, engine: Engine) -> Findings:
    """What proves an INT8 file, by name. Raises ``ExportError``."""
    if in_float := run_in_float(path):
        raise ExportError(f"{path}: ONNX Runtime runs {', '.join(in_float)} in float; nothing was kept")
    picture = proof.photo_like((1, 3, 24 * program.card.align, 20 * program.card.align))
    compared = compare_steps(program, picture, quantized_tensors(path, picture))
    if compared.largest > LARGEST_STEP:
        raise ExportError(
            f"{path}: a tensor is {compared.largest} steps from the program's, given the same inputs; nothing was kept"
        )
    same_steps = proof.measure([(engine(picture), compared.picture)])
    proof.require(same_steps, FP32.required_psnr, str(path))
    return {
        "largest_step": compared.largest,
        "differing_steps": compared.differing,
        "psnr_of_same_steps": same_steps.worst_psnr,
        "exact_without_vnni": max(map(largest_pair, integer_weights(path).values())) <= LARGEST_PAIR,
    }


def run_in_float(path: Path) -> list[str]:
    """The quantised convolutions that ONNX Runtime's optimised graph does not run as integers, by their outputs."""
    import onnx

    quantized = _quantized_convolutions(onnx.load(path))
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        _session(path.read_bytes(), optimized=optimized)
        integer = {tuple(node.input)[3] for node in onnx.load(optimized).graph.node if node.op_type == "QLinearConv"}
    return [layer for weight, layer in quantized.items() if weight not in integer]


def integer_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights [O, I, kh, kw] of the quantised convolutions, by name."""
    import onnx

    model = onnx.load(path)
    quantized = _quantized_convolutions(model)
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name in quantized}


def _quantized_convolutions(model: "onnx.ModelProto") -> dict[str, str]:
    """Name of the int8 weight -> name of the convolution's output."""
    from_constants = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {
        from_constants[node.input[1]]: node.output[0]
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] in from_constants
    }


def quantized_tensors(path: Path, picture: Tile) -> dict[str, Steps]:
    """Every quantised activation for the picture, in steps, zero point taken off.

    Where a pixel shuffle wants other channels first, the name ends with ``pixel_shuffle.PHASES``: such a tensor is the
    program's behind the shuffle.
    """
    import onnx

    model = onnx.load(path)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    zeros = {n.output[0]: constants[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    for name, zero in zeros.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(zero.dtype)
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    values = _session(model.SerializeToString()).run(list(zeros), {INPUT: picture})
    return {
        name: value.astype(np.int16) - np.int16(zero) for (name, zero), value in zip(zeros.items(), values, strict=True)
    }


FP32 = OnnxExporter("fp32", required_psnr=90)
INT8 = OnnxExporter("int8", required_psnr=30)  # coarse: `export.forced` says why, and holds the tensors to one step

if __name__ == "__main__":
    commands.run(lambda: run_exporter("export.onnx", FP32, INT8))
