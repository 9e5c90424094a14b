"""`tadsr recipe`: the commands, what is done is not done again, and all of it in a few minutes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from apps import recipe
from apps.errors import CommandError
from tadsr.packages import python_command
from train.engine.presets import preset_defaults

from .commands import Tadsr


def test_every_stage_is_given_what_others_make(tmp_path: Path) -> None:
    commands = recipe.commands_of(
        "mobile", recipe.read_recipe("mobile"), tmp_path / "photos", tmp_path / "run", licences="free"
    )
    assert list(commands) == [
        *("autoencoder", "teacher", "teacher_samples", "vanilla", "distill"),
        *("finetune", "prune", "adversarial", "fold", "quantize", "bundle"),
    ]
    made: set[str] = set()
    for name, words in commands.items():
        given = [Path(word.partition("=")[2]) for word in words if word.endswith(("safetensors", "pt2"))]
        assert {path.relative_to(tmp_path / "run").parts[0] for path in given if path.suffix} <= made, name
        made.add(name)
    assert "--licences=free" in commands["teacher"]
    assert f"--photos={tmp_path / 'run/teacher_samples'}" in commands["distill"]
    assert {"--score=hsd", "--discriminator=time-aware"} <= set(commands["distill"])
    adversarial = {name for name, words in commands.items() if any(word.startswith("--lambda_2") for word in words)}
    assert adversarial == {"adversarial"}, "by pixels first"


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    codes = {"b": 3}

    def run(words: list[str], check: bool) -> "subprocess.CompletedProcess[str]":
        assert words[:3] == python_command()
        ran.append(words[3])
        return subprocess.CompletedProcess(words, codes.get(words[3], 0))

    monkeypatch.setattr(subprocess, "run", run)
    commands = {"first": ["a"], "second": ["b", "--x=1"], "third": ["c"]}
    said: list[str] = []
    with pytest.raises(CommandError, match="second: ended with exit code 3"):
        recipe.run_recipe(commands, tmp_path, said.append)
    codes.clear()
    recipe.run_recipe(commands, tmp_path, said.append)
    assert ran == ["a", "b", "b", "c"]
    assert "1/3 first: done before" in said
    assert said[-1] == "3/3 third: python -m c"
    recipe.run_recipe(commands | {"second": ["b", "--x=2"]}, tmp_path, said.append)
    assert ran == ["a", "b", "b", "c", "b"]
    assert json.loads((tmp_path / "second.done.json").read_text()) == ["b", "--x=2"]


def test_the_smoke_preset_has_settings_for_every_stage() -> None:
    stages = {"autoencoder", "teacher", "sample_teacher", "distill", "finetune", "prune", "quantize"}
    assert all(preset_defaults("smoke", stage)["steps"] <= 4 for stage in stages)


def test_mistakes_and_dry_runs(tadsr: Tadsr, tmp_path: Path) -> None:
    for arguments, message in (
        (["nothing", "--photos", tmp_path], "nothing: no such recipe; choose one of mobile"),
        (["mobile"], "--photos: name a folder of sharp photos, or try --smoke"),
    ):
        done = tadsr("recipe", *arguments, "--out", tmp_path / "run")
        assert (done.code, done.out) == (2, "")
        assert message in done.err
        assert done.err.count("\n") == 1
    done = tadsr("recipe", "mobile", "--photos", tmp_path, "--out", tmp_path / "run", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "hours on a CPU" in done.out
    assert "python -m compress.quantize" in done.out
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_whole_recipe_in_minutes(tmp_path: Path) -> None:
    pytest.importorskip("torchao", reason="needs torchao: pip install 'tadsr[compress]'")
    command = [sys.executable, "-m", "apps.cli", "recipe", "mobile", "--smoke", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    made = runtime.read_bundle(tmp_path / "run/mobile.tadsr").manifest
    assert {artifact.precision for artifact in made.artifacts} == {"fp32", "int8"}
    assert runtime.load(tmp_path / "run/mobile.tadsr").manifest.provenance["quantisation"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.stdout.count("done before") == 11
