"""Exporters: one exported program becomes a file per device, each verified."""

from tadsr.extras import require

require("onnx", "torch")
