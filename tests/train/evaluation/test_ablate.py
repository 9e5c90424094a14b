"""The ablation trains every arm from the same start, goes on where it was, and shows what came out."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from tests.tiny import write_networks, write_photos, write_preset
from train.ablate import ARMS, AblateSettings, arm_settings, main
from train.distill import DistillSettings
from train.evaluation.ablation_page import table


def write_pairs(folder: Path) -> Path:
    """Two pairs, 24 and 96 pixels wide."""
    for photo in write_photos(folder / "HR", count=2).iterdir():
        (folder / "LR").mkdir(exist_ok=True)
        Image.open(photo).resize((24, 24)).save(folder / "LR" / photo.name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablate")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    write_pairs(folder / "pairs")
    return folder


def run(folder: Path) -> None:
    settings = {name: folder / f"{name}.safetensors" for name in ("autoencoder", "teacher")}
    settings |= {"init": folder / "student.safetensors", "preset": folder / "tiny.yaml", "pairs": folder / "pairs"}
    settings |= {"photos": folder / "photos", "out": folder / "out"}
    numbers = {"steps": 2, "batch": 2, "seeds": 2, "workers": 0}
    main([f"--{k}={v}" for k, v in (settings | numbers).items()])


def test_an_ablation_writes_figures_a_table_and_pictures(folder: Path) -> None:
    run(folder)
    results = json.loads((folder / "out/ablation.json").read_text())
    assert [len(results["scores"][arm]) for arm in ARMS] == [2] * len(ARMS)
    assert results["settings"]["steps"] == 2
    assert results["pictures"] == 2
    assert (folder / "out/ablation.md").read_text().count("\n| ") >= len(ARMS)
    with Image.open(folder / "out/ablation.jpg") as sheet:
        assert sheet.width > sheet.height

    trained = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*/losses.jsonl")}
    assert len(trained) == 2 * len(ARMS)
    run(folder)
    assert json.loads((folder / "out/ablation.json").read_text()) == results


def test_the_arms_differ_in_what_makes_them_alone() -> None:
    settings = AblateSettings(out=Path("out"), photos=Path("photos"), lambda_2=0.5)
    first = arm_settings(settings, "vanilla", 1)
    for arm, chosen in ARMS.items():
        made = arm_settings(settings, arm, 1)
        differing = {f.name for f in fields(DistillSettings) if getattr(made, f.name) != getattr(first, f.name)}
        assert differing <= {"out", "objective", "score", "discriminator"}
        assert {key: getattr(made, key) for key in chosen} == chosen
        assert made.lambda_2 == 0.5


def test_the_table_shows_mean_and_deviation_over_seeds() -> None:
    runs = [{"psnr_y": v, "ssim_y": 0.5, "naturalness": 4.0, "hf_ratio": 0.1, "cast": None} for v in (22.0, 23.0)]
    lines = table({"bicubic": runs[:1], "vanilla": runs}).splitlines()
    assert lines[2] == "| bicubic | 22.00 | 0.500 | 4.00 | 0.100 | – |"
    assert lines[3] == "| vanilla | 22.50 ± 0.71 | 0.500 ± 0.000 | 4.00 ± 0.00 | 0.100 ± 0.000 | – |"
