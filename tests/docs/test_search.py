import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import search
import yaml
from tables import training

ARMS = yaml.safe_load(search.ARMS.read_text(encoding="utf-8"))
FIGURES = {"psnr_y": 23.456, "ssim_y": 0.6543, "naturalness": 5.0, "hf_ratio": 0.1}


def chains() -> dict[str, list[tuple[str, dict[str, object]]]]:
    return {
        f"{question['name']}: {arm}": list(search.chain(ARMS["base"], changes, question["measured"]))
        for question in ARMS["questions"]
        for arm, changes in question["arms"].items()
    }


def test_every_arm_is_its_own_and_shares_what_it_does_not_change() -> None:
    last = {name: search.folder(stages) for name, stages in chains().items()}
    base = {name for name, found in last.items() if found == last["decoder: trained"]}
    assert len(base) == 8, "one arm of every question that is measured at the end is the base"
    others = [found for name, found in last.items() if name not in base]
    assert len(set(others)) == len(others)
    first = {name: search.folder(stages[:2]) for name, stages in chains().items()}
    assert first["decoder: frozen"] == first["decoder: trained"]
    assert first["channels of the latents: 8"] != first["channels of the latents: 4"]


def test_another_preset_is_another_run(tmp_path: Path) -> None:
    (tmp_path / "mobile.yaml").write_text("fold: {lr: 1}", encoding="utf-8")
    stages = chains()["decoder: frozen"]
    assert search.folder(stages, tmp_path / "mobile.yaml") != search.folder(stages)


def test_runs_are_trained_once_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        module, *words = command[2:]
        ran.append((module, *words))
        for word in words:
            if word.startswith("--out="):
                Path(word.removeprefix("--out=")).mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0, json.dumps({word: {"mean": FIGURES} for word in words}))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(search, "open_predictor", lambda program: SimpleNamespace(macs_per_pixel=400_000))
    monkeypatch.setattr(search, "JSON", tmp_path / "search.json")
    monkeypatch.setattr("sys.argv", ["search.py", "photos", "val", str(tmp_path / "runs")])
    search.main()
    search.main()
    trained = [words for words in ran if words[0] != "train.evaluate"]
    folders = {search.folder(stages[:done]) for stages in chains().values() for done in range(1, len(stages) + 1)}
    assert len(trained) == len(folders), "what arms share is trained once, and nothing twice"
    wide = next(words for words in ran if "--model.student.widths=[64, 104, 144]" in words)
    assert wide[0] == "train.distill"
    assert {"--photos=photos", "--licences=free", "--steps=60"} <= set(wide)
    teachers = [words for words in ran if words[0] == "train.evaluate" and words[2].endswith("teacher.safetensors")]
    assert all(words[-1].startswith("--autoencoder=") for words in teachers)
    assert len(teachers) == 2

    page = training.search(json.loads((tmp_path / "search.json").read_text(encoding="utf-8")))
    assert "| channels of the latents | 3 | 23.46 | 0.654 | 5.00 | 0.10 | 6.6 |\n| | 4 | 23.46 |" in page
    assert "| steps of the teacher, teacher | 4 | 23.46 | 0.654 | 5.00 | 0.10 | – |" in page
