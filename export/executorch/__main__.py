"""``python -m export.executorch``."""

from export.executorch.exporter import main
from tadsr import commands

if __name__ == "__main__":
    commands.run(main)
