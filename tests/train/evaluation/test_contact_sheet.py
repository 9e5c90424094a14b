from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tadsr import commands
from train.evaluation.contact_sheet import GAP, LABEL, Row, main, most_different, sheet


class Outcome(NamedTuple):
    """What a command left: its exit code and what it wrote."""

    code: int | str | None
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Outcome:
        code: int | str | None = 0
        try:
            commands.run(lambda: main([*map(str, arguments)]))
        except SystemExit as stop:
            code = stop.code
        return Outcome(code, *capsys.readouterr())

    return run


def test_the_part_in_which_two_pictures_differ_most() -> None:
    a = np.zeros((40, 60, 3), np.uint8)
    b = a.copy()
    b[25:30, 41:49] = 9
    assert most_different(a, b, 8, 5) == (slice(25, 30), slice(41, 49))
    assert most_different(a, a, 8, 5) == (slice(0, 5), slice(0, 8))
    assert most_different(a, b, 100, 5) == (slice(25, 30), slice(0, 60))


def test_pictures_of_other_sizes_below_each_other() -> None:
    large, small = np.full((50, 80, 3), 10, np.uint8), np.full((20, 30, 3), 200, np.uint8)
    page = np.asarray(sheet([Row("large", {"a": large, "b": large}), Row("small", {"a": small, "b": small})]))
    assert page.shape == (3 * LABEL + 70, 2 * 80 + GAP, 3)
    assert (page[2 * LABEL : 2 * LABEL + 50, 80 + GAP :] == 10).all()
    assert (page[-20:, :30] == 200).all()
    assert (page[-20:, 30 : 80 + GAP] == 255).all()


def test_a_sheet_of_a_folder_and_a_file(run: Run, toy_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for path, size in ((tmp_path / "photos/a.png", (20, 16)), (tmp_path / "b.jpg", (200, 160))):
        Image.effect_noise(size, 50).convert("RGB").save(path)
    done = run(tmp_path / "photos", tmp_path / "b.jpg", "-o", tmp_path / "sheet.png", "--bundle", toy_bundle)
    assert (done.code, done.out) == (0, f"wrote {tmp_path / 'sheet.png'}: 2 pictures\n")
    assert Image.open(tmp_path / "sheet.png").size == (2 * 384 + GAP, 3 * LABEL + 64 + 288)


def test_mistakes_are_one_line(run: Run, toy_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for picture, output, reason in (
        ("empty", "sheet.jpg", "no photos in it"),
        ("broken.png", "sheet.jpg", "broken.png"),
        ("missing.png", "sheet.jpg", "missing.png"),
        ("empty", "sheet.doc", "unknown picture suffix"),
        ("empty", "no/sheet.jpg", "its folder does not exist"),
    ):
        done = run(tmp_path / picture, "-o", tmp_path / output, "--bundle", toy_bundle)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"error: {tmp_path}")
        assert reason in done.err
        assert done.err.count("\n") == 1
        assert not (tmp_path / output).exists()
