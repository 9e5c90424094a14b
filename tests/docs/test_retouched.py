import json
from pathlib import Path

import numpy as np
import pytest
import retouched
from PIL import Image
from tables import training

FLAT = np.full((32, 40, 3), 120, np.uint8)


def test_flat_pictures_stay_as_they_are() -> None:
    assert all((picture == FLAT).all() for _, _, picture in retouched.retouched(FLAT))


def test_more_of_it_changes_more() -> None:
    edge = FLAT.copy()
    edge[:, 20:] = 60
    moved: dict[str, list[float]] = {}
    for way, _, picture in retouched.retouched(edge):
        moved.setdefault(way, []).append(float(np.abs(picture.astype(float) - edge).mean()))
    assert moved["as it is"] == [0]
    assert all(sorted(each) == each and each[0] > 0 for way, each in moved.items() if way != "as it is")


def test_all_ways_are_scored_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for side, size in (("LR", 56), ("HR", 224)):
        (tmp_path / side).mkdir()
        Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(tmp_path / side / "a.png")
    monkeypatch.setattr(retouched, "JSON", tmp_path / "retouched.json")
    monkeypatch.setattr("sys.argv", ["retouched.py", str(tmp_path)])
    retouched.main()
    lines = training.retouched(json.loads((tmp_path / "retouched.json").read_text(encoding="utf-8"))).splitlines()
    assert lines[2].startswith("| as it is | |")
    assert [line.split(" | ")[1] for line in lines[3:]] == ["4%", "7%", "10%", "20%", "30%", "60%", "100%"]
