import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from apps.cli import version
from apps.upscale.command import Seam
from runtime.backends import BACKENDS
from runtime.tiles.halo import HALOS
from tests.runtime.fake_backend import FakeBackend

from .commands import Tadsr

ROOT = Path(__file__).parents[2]


def test_seams_are_the_runtimes() -> None:
    assert [*Seam] == [*HALOS]


def test_version(tadsr: Tadsr) -> None:
    done = tadsr("--version")
    assert (done.code, done.out, done.err) == (0, f"tadsr {version()}\n", "")


@pytest.mark.parametrize("command", ["upscale", "compare", "bench", "info", "recipe", "doctor"])
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
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [(["upscal", "a.png"], "Did you mean 'upscale'?"), (["upscale", "a.png", "--overwrit"], "--overwrite")],
)
def test_a_typo_suggests_the_nearest(arguments: list[str], nearest: str, tadsr: Tadsr) -> None:
    done = tadsr(*arguments)
    assert (done.code, done.out) == (2, "")
    assert nearest in done.err
    assert done.err.count("\n") == 1


def test_without_a_command_it_shows_the_help(tadsr: Tadsr) -> None:
    assert tadsr() == tadsr("--help")


@pytest.mark.parametrize("command", ["info", "doctor"])
def test_no_colours_in_a_pipe(command: str, tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr(command, toy_bundle)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err


def run(command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_of_the_shell_that_runs_it() -> None:
    line = f"{shlex.quote(sys.executable)} -m apps.cli --show-completion; exit $?"
    shown = run(["bash", "-c", line])
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "complete -o default -F _tadsr_completion tadsr" in shown.stdout


@pytest.mark.parametrize(
    ("words", "completed"), [("tadsr upsc", "upscale"), ("tadsr upscale photo.jpg --skip", "--skip-existing")]
)
def test_completion_of_words(words: str, completed: str) -> None:
    asked = {"_TADSR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = run([sys.executable, "-m", "apps.cli"], **asked)
    assert (done.stdout.split(), done.stderr) == ([completed], "")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from apps.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules, sep=chr(10))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Enlarge photos" in done.stdout
    assert not {"numpy", "PIL", "onnxruntime", "onnx", "torch", "rich.console", "runtime"} & {*done.stdout.split()}


def test_a_warning_is_one_line(
    tadsr: Tadsr, draw: Callable[..., Path], toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "coreml", FakeBackend("coreml", broken="no driver"))  # type: ignore[arg-type]
    done = tadsr("upscale", draw("photo.png"), "--bundle", toy_bundle)
    assert done.code == 0
    assert done.err == "warning: toy.onnx on coreml cannot be used: no driver; taking toy.onnx on onnx\n"
