"""The table of exporters: a new engine is a new row."""

from export.onnx import OnnxExporter
from export.protocol import Exporter

EXPORTERS: tuple[Exporter, ...] = (OnnxExporter(),)
"""In order of preference: a bundle lists its artifacts so, and the runtime takes the first that can run."""
