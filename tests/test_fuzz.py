"""A short run of `python -m tests.fuzz`, and that it would see what it looks for."""

from pathlib import Path
from random import Random

import pytest

from tests import fuzz
from tests.fuzzing.cases import WrongError, check_folder, check_message
from tests.fuzzing.mutations import mutated

pytest.importorskip("pyvips", reason="needs the extra imaging")
pytest.importorskip("pillow_heif", reason="needs the extra imaging")


def test_a_short_run() -> None:
    report = fuzz.fuzz(200, seed=0)
    assert report.faults == []
    assert sum(report.counts.values()) == 200
    assert {outcome for _, outcome in report.counts} == {"done", "refused"}
    assert report.table()[-1].startswith("| all |")


def test_a_number_brings_the_same_file_again() -> None:
    first, second = (mutated(Random("3/14"), bytes(1000), [b"abc"]) for _ in range(2))
    assert first == second != bytes(1000)


def test_a_hang_is_seen() -> None:
    report = fuzz.fuzz(2, seed=0, timeout=1e-3)  # no process starts so quickly
    assert report.counts == {("any", "hang"): 2}
    assert "case 0: hang" in report.faults[0]


def test_a_crash_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "write_samples", Path.mkdir)  # so the worker dies at once
    report = fuzz.fuzz(1, seed=0)
    assert report.counts == {("any", "crash"): 1}
    assert "no such bundle" in report.faults[0]


def test_what_is_left_over_is_seen(tmp_path: Path) -> None:
    (tmp_path / "in.png").touch()
    check_folder(tmp_path, {tmp_path / "in.png"})
    (tmp_path / ".draft.png").touch()
    with pytest.raises(WrongError, match=r"\.draft\.png"):
        check_folder(tmp_path, {tmp_path / "in.png"})


@pytest.mark.parametrize("message", ["", "two\nlines"])
def test_messages_of_more_or_less_than_a_line_are_seen(message: str) -> None:
    with pytest.raises(WrongError, match="not one line"):
        check_message(ValueError(message))
