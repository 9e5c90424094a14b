"""``python -m export.coreml``."""

from export.coreml.exporter import main
from tadsr import commands

if __name__ == "__main__":
    commands.run(main)
