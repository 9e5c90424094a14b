"""Every module can be imported where its extra is installed, says what it is for, and the base install stays light."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_layers import OURS, ROOT, sources

HEAVY = ("torch", "onnx", "scipy", "skimage", "lightning_fabric", "tyro", "train", "compress", "export")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for package in sorted(OURS) for path in sources(package)}


@pytest.mark.parametrize("name", PATHS)
def test_modules_import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        pytest.skip(f"needs {missing}, which is not installed here")


@pytest.mark.parametrize("name", PATHS)
def test_modules_say_what_they_are_for(name: str) -> None:
    assert ast.get_docstring(ast.parse(PATHS[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["runtime", "apps.cli"])
def test_what_the_base_install_needs_is_light(name: str) -> None:
    code = f"import sys, {name}; sys.stdout.write(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {*HEAVY} & {*ended.stdout.split()}
