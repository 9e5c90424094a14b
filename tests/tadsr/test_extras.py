"""A missing optional package is one line that names the extra."""

import subprocess
import sys
from pathlib import Path

import pytest

from tadsr.extras import require


def test_installed_packages_are_no_news() -> None:
    require("train", "numpy", "PIL")


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r'no_such_thing is not installed.*pip install "tadsr\[train\]"'):
        require("train", "numpy", "no_such_thing")


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (["train.teacher"], "torch"),
        (["train.evaluate"], "torch"),
        (["compress.fold"], "torch"),
        (["compress.quantize"], "torchao"),
        (["export.onnx"], "torch"),
        (["export.bundle"], "torch"),
        (["tadsr", "train", "distill"], "torch"),
        (["tadsr", "compress", "quantize"], "torchao"),
    ],
)
def test_commands_without_their_extra_end_in_one_line(words: list[str], package: str, tmp_path: Path) -> None:
    site = tmp_path / "sitecustomize.py"
    site.write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == '" + package + "' else find(name, *a)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {package} is not installed; get it with: pip install")
    assert done.stderr.count("\n") == 1
