"""Small trainings that ask what matters: `python docs/figures/search.py PHOTOS VAL OUT`.

The arms stand in search.yaml beside this file. PHOTOS is what training takes, VAL holds HR and LR, OUT the runs; what
is there already is not done again. Writes search.json beside this file, which `render.py` makes a table of.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from keeping import keep, today

from apps.recipe import run_recipe
from runtime.atomic import replacing
from tadsr import commands
from train.engine.errors import TrainError
from train.engine.presets import PRESETS
from train.evaluation.predictors import open_predictor

HERE = Path(__file__).parent
ARMS, JSON = HERE / "search.yaml", HERE / "search.json"
LICENCES = "free"
RESULT = "figures.json"
PROGRAM = ".pt2"

Options = dict[str, Any]


class Stage(NamedTuple):
    """One training of the chain."""

    module: str
    takes: Mapping[str, str]
    """Options that are files of earlier stages, within the chain's folders."""
    result: str
    """What is measured of it."""


_LATENTS = {"autoencoder": "autoencoder/autoencoder.safetensors"}
CHAIN = {
    "autoencoder": Stage("train.autoencoder", {}, "autoencoder.safetensors"),
    "teacher": Stage("train.teacher", _LATENTS, "teacher.safetensors"),
    "distill": Stage("train.distill", _LATENTS | {"teacher": "teacher/teacher.safetensors"}, "student.safetensors"),
    "fold": Stage("compress.fold", _LATENTS | {"student": "distill/student.safetensors"}, "student.pt2"),
}
"""In the order in which they build on each other."""


def chain(base: Mapping[str, Options], changes: Mapping[str, Options], last: str) -> Iterator[tuple[str, Options]]:
    """Every stage up to ``last`` with its options."""
    for name in CHAIN:
        yield name, {"licences": LICENCES} | base[name] | changes.get(name, {})
        if name == last:
            return


def folder(stages: list[tuple[str, Options]], preset: Path = PRESETS / "mobile.yaml") -> str:
    """Of the last of these stages: one for all arms that agree up to there, of this state of the preset."""
    name, _ = stages[-1]
    told = json.dumps(stages, sort_keys=True) + preset.read_text(encoding="utf-8")
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def measured(stages: list[tuple[str, Options]], photos: Path, pairs: Path, out: Path) -> dict[str, float]:
    """Means over the pairs of what the last stage makes, and what it costs where that is a program.

    All stages are trained, or taken from ``out``.
    """
    folders: dict[str, Path] = {}
    trainings: dict[str, list[str]] = {}
    for done, (name, options) in enumerate(stages, start=1):
        run = folders[name] = out / folder(stages[:done])
        files = {option: _within(folders, file) for option, file in CHAIN[name].takes.items()}
        trainings[run.name] = [CHAIN[name].module, *_options({"photos": photos, "out": run} | files | options)]
    run_recipe(trainings, out, commands.say)
    result, model = folders[name] / RESULT, folders[name] / CHAIN[name].result
    if not result.exists():
        files = {} if model.suffix == PROGRAM else {"autoencoder": _within(folders, _LATENTS["autoencoder"])}
        figures = _figures(str(pairs), str(model), "--json", *_options(files))
        with replacing(result) as draft:
            draft.write_text(json.dumps(figures[str(model)]["mean"]), encoding="utf-8")
    found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
    if model.suffix != PROGRAM:
        return found
    return found | {"macs_per_pixel": open_predictor(model).macs_per_pixel}


def _within(folders: Mapping[str, Path], file: str) -> Path:
    stage, _, name = file.partition("/")
    return folders[stage] / name


def _options(given: Mapping[str, Any]) -> list[str]:
    plain = {name: json.dumps(value) if isinstance(value, list | bool) else value for name, value in given.items()}
    return [f"--{name}={value}" for name, value in plain.items()]


def _figures(*words: str) -> Any:
    """What `train.evaluate` prints."""
    command = [sys.executable, "-m", "train.evaluate", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise TrainError(f"train.evaluate: ended with exit code {done.returncode}; mend what it says, then try again")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python docs/figures/search.py", description="Small trainings that ask what matters."
    )
    parser.add_argument("photos", type=Path, help="what training takes")
    parser.add_argument("pairs", type=Path, help="a folder with HR and LR")
    parser.add_argument("out", type=Path, help="folder of the runs")
    given = parser.parse_args()
    search = yaml.safe_load(ARMS.read_text(encoding="utf-8"))
    for question in search["questions"]:
        for arm, changes in question["arms"].items():
            stages = list(chain(search["base"], changes, question["measured"]))
            question["arms"][arm] = measured(stages, given.photos, given.pairs, given.out)
    found = {"date": today(), **search}
    keep(found, JSON)


if __name__ == "__main__":
    commands.run(main)
