import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.cli import Seam, version
from runtime.backends import BACKENDS
from runtime.upscaler import SEAMS
from tests.runtime.fake_backend import FakeBackend

from .commands import Tadsr


def test_seams_are_the_runtimes() -> None:
    assert [*Seam] == [*SEAMS]


def test_version(tadsr: Tadsr) -> None:
    done = tadsr("--version")
    assert (done.code, done.out, done.err) == (0, f"tadsr {version()}\n", "")


@pytest.mark.parametrize("command", ["upscale", "bench", "info", "doctor"])
def test_help_has_examples(command: str, tadsr: Tadsr) -> None:
    done = tadsr(command, "--help")
    assert done.code == 0
    assert "Examples:" in done.out
    assert f"\n    tadsr {command}" in done.out
    assert command in tadsr("--help").out


def test_wrong_usage(tadsr: Tadsr) -> None:
    for arguments in (["upscale"], ["upscale", "a.png", "--seam", "soft"], ["enlarge"], ["bench", "--repeats", "0"]):
        done = tadsr(*arguments)
        assert done.code == 2
        assert "Error: " in done.err


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from apps.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules, sep=chr(10))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert "Enlarge photos" in done.stdout
    assert not {"numpy", "PIL", "onnxruntime", "onnx", "torch", "rich.console", "runtime"} & {*done.stdout.split()}


def test_a_warning_is_one_line(
    tadsr: Tadsr, draw: Callable[..., Path], toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "coreml", FakeBackend("coreml", broken="no driver"))  # type: ignore[arg-type]
    done = tadsr("upscale", draw("photo.png"), "--bundle", toy_bundle)
    assert done.code == 0
    assert done.err == "warning: toy.onnx on coreml cannot be used: no driver; taking toy.onnx on onnx\n"
