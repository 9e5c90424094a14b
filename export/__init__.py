"""Exporters: one exported program becomes a file per device, each verified."""

from runtime.extras import require

require("onnx", "torch")
