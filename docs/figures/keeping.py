"""Where measured figures lie until `render.py` makes tables of them: JSON files beside this one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.atomic import replacing


def keep(figures: Any, path: Path) -> None:
    """Write them as JSON; the file appears complete or not at all."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def today() -> str:
    """The date in UTC, as figures tell when they were measured."""
    return datetime.now(UTC).date().isoformat()
