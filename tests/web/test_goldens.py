"""The browser app tiles as the runtime does: tests/tiling.test.ts of the app holds it to the same file."""

import json

from .goldens import GOLDENS, goldens


def test_the_runtime_tiles_as_the_browser_app() -> None:
    kept = json.loads(GOLDENS.read_text(encoding="utf-8"))
    assert goldens() == kept, "run python -m tests.web.goldens, then npm test in apps/web"
