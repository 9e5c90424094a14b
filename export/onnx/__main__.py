"""``python -m export.onnx``."""

from export.onnx.exporter import main
from tadsr import commands

if __name__ == "__main__":
    commands.run(main)
