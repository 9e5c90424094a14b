"""Inside the runtime, too, imports go one way."""

import ast
from pathlib import Path

import pytest

import runtime

ROOT = Path(runtime.__file__).parent
GROUND = {"archives", "atomic", "bundle", "cache", "errors", "manifest", "native", "shape"}
"""Modules that know of no room."""
MAY_IMPORT = {
    "backends": GROUND,
    "tiles": GROUND | {"backends"},
    "pictures": GROUND,
    "settings": GROUND | {"tiles"},
    "enlarging": GROUND | {"backends", "tiles", "pictures", "settings"},
    "job": GROUND | {"tiles", "pictures", "settings", "enlarging"},
    **dict.fromkeys(GROUND, GROUND),
}
"""The rooms and modules of the runtime that each may import, beside itself; what is not named is above them all."""


def imported(path: Path) -> set[str]:
    """Rooms and modules that a file imports, wherever in it: the first part of their names below `runtime`."""
    inside = path.relative_to(ROOT).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = inside[: len(inside) - (node.level - 1)]
            below = [*start, *filter(None, (node.module or "").split("."))]
            names |= set(below[:1]) or {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_imports_go_one_way(name: str) -> None:
    files = sorted((ROOT / name).glob("*.py")) if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]
    assert files
    for path in files:
        assert imported(path) <= MAY_IMPORT[name] | {name}, path


def test_no_two_may_import_each_other() -> None:
    for name in MAY_IMPORT.keys() - GROUND:
        assert all(name not in MAY_IMPORT[other] for other in MAY_IMPORT[name])
