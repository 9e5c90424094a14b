"""Other delegates: what lowers is reported with its share, what does not with its reason."""

from pathlib import Path

import pytest

from export.errors import ExportError
from export.executorch.recipes import RECIPES, attempt, try_all
from tadsr.program import open_program
from tests.export.programs import TILE, needs_executorch

pytestmark = needs_executorch


@pytest.mark.slow
@pytest.mark.parametrize("delegate", ["coreml", "vulkan"])
def test_what_lowers_here(programs: Path, tmp_path: Path, delegate: str) -> None:
    trial = attempt(open_program(programs / f"student.{TILE}.pt2"), delegate, tmp_path / "out.pte")
    assert (trial.problem, trial.delegated_macs) == (None, 1.0)
    assert trial.size == (tmp_path / "out.pte").stat().st_size > 1000


def test_what_does_not_says_why(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QNN_SDK_ROOT", raising=False)
    trial = attempt(open_program(programs / f"student.{TILE}.pt2"), "qnn", tmp_path / "out.pte")
    assert trial.problem is not None
    assert "QNN_SDK_ROOT" in trial.problem
    assert (trial.delegated_macs, trial.size) == (None, None)
    assert not (tmp_path / "out.pte").exists()


def test_they_want_one_tile_size(programs: Path) -> None:
    assert {"coreml", "vulkan", "qnn"} == RECIPES.keys()
    with pytest.raises(ExportError, match=r"give --tile \(32\)"):
        try_all([open_program(programs / "student.pt2")])
