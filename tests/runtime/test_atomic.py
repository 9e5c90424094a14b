"""A file that is replaced is whole, whatever happens on the way."""

import os
from pathlib import Path

import pytest

from runtime.atomic import replacing


def test_a_finished_draft_takes_the_place(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with replacing(target) as draft:
        draft.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(OSError, match="No space"), replacing(target) as draft:
        _fill_the_disk(draft)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def _fill_the_disk(draft: Path) -> None:
    draft.write_text("ne")
    raise OSError(28, "No space left on device")


def test_others_may_read_the_file_as_usual(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as draft:
        os.close(os.open(draft, os.O_CREAT, 0o600))
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
