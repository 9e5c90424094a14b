"""Tables of docs/backends.md."""

from collections.abc import Sequence
from typing import Any

from .markdown import table

BACKENDS = {
    "onnx": "ONNX Runtime, OpenVINO",
    "executorch": "ExecuTorch (XNNPACK)",
    "coreml": "Core ML",
    "tensorrt": "TensorRT",
}
CHECKS = {
    "worst_psnr": "{:.1f} dB",
    "openvino_worst_psnr": "{:.1f} dB in OpenVINO",
    "largest_step": "largest step {:g}",
    "openvino_largest_step": "largest step {:g} in OpenVINO",
    "psnr_of_same_steps": "{:.1f} dB of same steps",
    "layers_equal_to_the_bit": "{:g} layers equal to the bit",
    "scales_equal_to_the_bit": "{:g} scales equal to the bit",
    "tensors_with_relu_headroom": "{:g} tensors with ReLU headroom",
    "psnr_in_float32": "{:.1f} dB in float32",
    "off_neural_engine": "{:g} operations off the neural engine",
}


def backends(rows: Sequence[dict[str, Any]]) -> str:
    """A row per file of `export.verify --json`."""
    lines = []
    for row in rows:
        report = row["report"] or {}
        figures = {**report, **report.get("findings", {})}
        found = [form.format(float(figures[name])) for name, form in CHECKS.items() if name in figures]
        told = row["problem"] or row["unchecked"] or "; ".join(found)
        lines.append([BACKENDS[row["backend"]], row["precision"], str(row["tile"] or "any"), told])
    return table(["backend", "precision", "tile", "check"], lines)


def recipes(trials: Sequence[dict[str, Any]]) -> str:
    """A row per delegate and program, as commit 491996a tried them."""
    lines = []
    for trial in trials:
        lowered = trial["problem"] is None
        figures = [f"{trial['delegated_macs']:.0%}", f"{trial['size'] / 1e6:.2f}"] if lowered else ["–", "–"]
        program = f"{trial['precision']}, {trial['tile']}×{trial['tile']}"
        lines.append([trial["delegate"], program, *figures, "lowers" if lowered else trial["problem"]])
    return table(["delegate", "program", "share of multiply-accumulates", "MB", ""], lines)
