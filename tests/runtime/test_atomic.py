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


def test_a_finished_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    target = tmp_path / "model.mlpackage"
    (target / "old").mkdir(parents=True)
    with replacing(target) as draft:
        draft.mkdir(0o700)
        (draft / "new").write_text("new")
        (draft / "new").chmod(0o600)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]
    (tmp_path / "usual").mkdir()
    (tmp_path / "usual" / "new").touch()
    assert target.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (target / "new").stat().st_mode == (tmp_path / "usual" / "new").stat().st_mode


def test_a_failure_leaves_the_folder_that_was_there(tmp_path: Path) -> None:
    target = tmp_path / "model.mlpackage"
    (target / "old").mkdir(parents=True)

    def fail(draft: Path) -> None:
        draft.mkdir()
        (draft / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), replacing(target) as draft:
        fail(draft)
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photos" / "holiday.jpg").mkdir(parents=True)
    with pytest.raises(IsADirectoryError), replacing(tmp_path / "photos") as draft:
        draft.touch()
    assert (tmp_path / "photos" / "holiday.jpg").exists()
    assert len(list(tmp_path.iterdir())) == 1
