"""The imports follow the design: stages meet in files, and the runtime is light."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = frozenset({"tadsr", "runtime", "train", "compress", "export", "apps"})

MAY_IMPORT = {
    "runtime": set(),
    "tadsr": {"runtime"},
    "train": {"runtime", "tadsr"},
    "compress": {"runtime", "tadsr", "train"},
    "export": {"runtime", "tadsr"},
    "apps": OURS,
}
"""Which of our packages each of them may import, beside itself."""

LIGHT = {
    "runtime": {"numpy", "PIL"},
    "tadsr": {"runtime", "tadsr"},
    "apps": {"numpy", "PIL", "typer", "rich", "runtime", "apps", "tadsr"},
}
"""What these import when they are imported themselves; anything else only inside a function or for types."""

HEAVY = {"apps/benchmarks/training.py", "apps/benchmarks/workloads.py"}
"""Files that the trainers' own benchmark consists of, and that nothing else imports."""

LATER = {
    "runtime/backends/aoti.py": {"torch"},
    "runtime/backends/build_engine.py": {"tensorrt"},
    "runtime/backends/coreml.py": {"coremltools"},
    "runtime/backends/executorch.py": {"executorch", "torch"},
    "runtime/backends/onnx.py": {"onnxruntime"},
    "runtime/backends/openvino.py": {"openvino"},
    "runtime/backends/tensorrt.py": {"tensorrt", "torch"},
    "runtime/pictures/depth.py": {"pyvips"},
    "runtime/pictures/optional.py": {"pillow_heif"},
    "runtime/pictures/streaming.py": {"pyvips"},
}
"""What a file of the runtime imports, beside `LIGHT`, inside its functions."""


class Import(NamedTuple):
    """One imported module."""

    line: int
    package: str
    """Top-level name."""
    at_once: bool
    """Whether it happens when the file is imported, and not inside a function or for the type checker only."""


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def waits(node: ast.AST) -> bool:
    """Whether what is inside does not run when the file is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {node for outer in ast.walk(tree) if waits(outer) for node in ast.walk(outer)}
    own = path.relative_to(ROOT).parts[0]
    for node in ast.walk(tree):
        at_once = node not in inside
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name.partition(".")[0], at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = own if node.level else (node.module or "")
            yield Import(node.lineno, module.partition(".")[0], at_once)


def places(wrong: set[tuple[Path, Import]]) -> list[str]:
    return sorted(f"{path.relative_to(ROOT)}:{found.line} imports {found.package}" for path, found in wrong)


def all_imports(package: str) -> set[tuple[Path, Import]]:
    found = {(path, found) for path in sources(package) for found in imports(path)}
    assert found, f"no imports found in {package}; the test looks in the wrong place"
    return found


@pytest.mark.parametrize("package", sorted(OURS))
def test_packages_import_only_those_below(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        (path, found)
        for path, found in all_imports(package)
        if found.package in (OURS | {"tests"}) - allowed and path != ROOT / "tadsr/__main__.py"  # it starts apps.cli
    }
    assert places(wrong) == []


@pytest.mark.parametrize("package", sorted(LIGHT))
def test_light_packages_import_little_at_once(package: str) -> None:
    allowed = LIGHT[package] | {package} | sys.stdlib_module_names
    wrong = {
        (path, found)
        for path, found in all_imports(package)
        if found.at_once and found.package not in allowed and path.relative_to(ROOT).as_posix() not in HEAVY
    }
    assert places(wrong) == []


def test_runtime_imports_little_later() -> None:
    allowed = LIGHT["runtime"] | {"runtime"} | sys.stdlib_module_names
    wrong = {
        (path, found)
        for path, found in all_imports("runtime")
        if found.package not in allowed | LATER.get(path.relative_to(ROOT).as_posix(), set())
    }
    assert places(wrong) == []


@pytest.mark.parametrize("package", sorted(OURS))
def test_nothing_prints(package: str) -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == [], "return, raise or call back instead; a command speaks through tadsr.commands.say"


def test_all_packages_are_covered() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == OURS | {"tests", "docs"}
