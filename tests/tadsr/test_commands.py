"""How a command ends, and what its usage line calls it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import TadsrError
from tadsr import commands

ROOT = Path(__file__).parents[2]


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (TadsrError("a.png: is empty; get it again"), "error: a.png: is empty; get it again\n"),
        (FileNotFoundError(2, "No such file", "b.png"), "error: b.png: No such file; check the path and its perm"),
    ],
)
def test_mistakes_are_one_line(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.run(raising(error))
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("of no file")])
def test_what_nobody_foresaw_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        commands.run(raising(error))


@pytest.mark.parametrize("resumes", [True, False])
def test_ctrl_c_says_whether_the_command_goes_on(resumes: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.run(raising(KeyboardInterrupt()), resumes=resumes)
    said = capsys.readouterr().err
    assert ended.value.code == 128 + signal.SIGINT
    assert said.startswith("stopped")
    assert ("goes on" in said) == resumes
    assert said.count("\n") == 1


def test_usage_says_how_it_was_called() -> None:
    assert commands.prog("train.publish") == "python -m train.publish"
    with commands.forwarding("train.publish"):
        assert commands.prog("train.publish") == "tadsr train publish"
        assert commands.prog("train.distill") == "python -m train.distill"
    assert commands.prog("train.publish") == "python -m train.publish"


def test_typed_is_the_command_that_runs_it_again() -> None:
    assert commands.typed("compress.fold", ["--out=a b"]) == "python -m compress.fold '--out=a b'"


@pytest.mark.parametrize("words", [("train", "publish"), ("export", "verify")])
def test_python_m_and_tadsr_are_the_same_command(words: tuple[str, str]) -> None:
    calls = {"python -m " + ".".join(words): [".".join(words)], "tadsr " + " ".join(words): ["tadsr", *words]}
    for called, arguments in calls.items():
        command = [sys.executable, "-m", *arguments, "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: {called} ")
