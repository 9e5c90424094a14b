"""``python -m export.tensorrt``."""

from export.tensorrt.exporter import main
from tadsr import commands

if __name__ == "__main__":
    commands.run(main)
