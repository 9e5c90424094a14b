"""The scripts of docs are no package: their folders are where Python looks last."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path += [str(DOCS / "figures"), str(DOCS / "pictures")]
