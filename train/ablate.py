"""``python -m train.ablate``: what each of TAD-SR's terms brings, as in the paper's Table V.

Every arm starts from the same student, trains on the same data for as many steps, and is repeated with other seeds.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from runtime.atomic import replacing
from tadsr import commands
from train.distill import DistillSettings, DistillTask, distillation_data
from train.engine import processes
from train.engine.checkpoints import network_identity
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.run_folder import plain
from train.engine.settings import parse
from train.evaluation import scoring
from train.evaluation.ablation_page import picture_sheet, table
from train.evaluation.pairs import Pair, bicubic, find_pairs, originals, restored
from train.evaluation.predictors import Predict, SamplingOptions, open_predictor
from train.evaluation.scoring import PlainScores

ARMS: dict[str, dict[str, Any]] = {
    "vanilla": {"score": "none", "discriminator": "none"},
    "SinSR": {"objective": "sinsr"},
    "SDS + GAN": {"score": "sds", "discriminator": "plain"},
    "SDS + time-aware GAN": {"score": "sds", "discriminator": "time-aware"},
    "HSD + GAN": {"score": "hsd", "discriminator": "plain"},
    "HSD + time-aware GAN": {"score": "hsd", "discriminator": "time-aware"},
}
"""The settings of distillation that make each arm; the last is TAD-SR."""

SHEET_PAIRS = 4
"""Pairs on the sheet of pictures."""


@dataclass(frozen=True)
class AblateSettings(DistillSettings):
    """Settings of the ablation: those of every arm's distillation, but for what makes the arm."""

    pairs: Path | None = None
    """Folder with LR and HR pictures of the same names, to compare the arms by; they must not be trained on."""
    seeds: int = 3
    """Runs of every arm, with the seeds from --seed on."""


def run_folder(out: Path, arm: str, seed: int) -> Path:
    """Where the run of an arm lies: OUT/hsd-time-aware-gan-seed0."""
    return out / f"{arm.lower().replace(' + ', '-').replace(' ', '-')}-seed{seed}"


def arm_settings(settings: AblateSettings, arm: str, seed: int) -> DistillSettings:
    """The distillation of one arm and seed."""
    common = {field.name: getattr(settings, field.name) for field in fields(DistillSettings)}
    return replace(DistillSettings(**common), out=run_folder(settings.out, arm, seed), seed=seed, **ARMS[arm])


def train_arms(settings: AblateSettings) -> None:
    """Train what is not trained yet, all arms of one seed before the next seed's."""
    for seed in range(settings.seed, settings.seed + settings.seeds):
        for arm in ARMS:
            chosen = arm_settings(settings, arm, seed)
            train(DistillTask(chosen), chosen, distillation_data(chosen))


def evaluate_arms(settings: AblateSettings, pairs: list[Pair]) -> dict[str, list[PlainScores]]:
    """Mean scores of every run, and of what the arms start from and aim at."""
    options = SamplingOptions(settings.autoencoder)
    assert settings.init is not None
    fixed = {"start": settings.init, "teacher": settings.teacher}
    runs: dict[str, list[PlainScores]] = {name: [_scores(name, path, options, pairs)] for name, path in fixed.items()}
    for arm in ARMS:
        runs[arm] = []
        for seed in range(settings.seed, settings.seed + settings.seeds):
            student = run_folder(settings.out, arm, seed) / "student.safetensors"
            runs[arm].append({"seed": seed} | _scores(f"{arm}, seed {seed}", student, options, pairs))
    simple = {"bicubic": restored(bicubic, pairs), "HR": originals(pairs)}
    return {name: [scoring.as_json(scoring.score_all(results))["mean"]] for name, results in simple.items()} | runs


def _scores(label: str, path: Path, options: SamplingOptions, pairs: list[Pair]) -> PlainScores:
    results = restored(open_predictor(path, options).predict, pairs)
    tracked = track(results, label, total=len(pairs), console=Console(stderr=True), transient=True)
    return scoring.as_json(scoring.score_all(tracked))["mean"]


def predictors(out: Path, seed: int, teacher: Path, autoencoder: Path) -> dict[str, Predict]:
    """What the picture sheet shows beside bicubic and HR: every arm's run with ``seed``, and the teacher."""
    files = {arm: run_folder(out, arm, seed) / "student.safetensors" for arm in ARMS} | {"teacher": teacher}
    return {name: open_predictor(path, SamplingOptions(autoencoder)).predict for name, path in files.items()}


def conditions(settings: AblateSettings, pictures: int) -> dict[str, Any]:
    """What the scores depend on. Raises ``TrainError`` where a network is not there, or not in the project's format."""
    left_out = ("out", "photos", "pairs", "device", "workers", "minutes", "teacher", "autoencoder", "init")
    chosen = {key: value for key, value in plain(asdict(settings)).items() if key not in left_out}
    assert settings.init is not None
    networks = {"start": settings.init, "teacher": settings.teacher, "autoencoder": settings.autoencoder}
    identities = {name: network_identity(path)["sha256"] for name, path in networks.items()}
    return {"settings": chosen, "networks": identities, "pictures": pictures}


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(AblateSettings, "train.ablate", "Train and compare what each of TAD-SR's terms brings.", argv)
    if settings.pairs is None or settings.init is None:
        raise TrainError(
            "--pairs and --init are needed: pictures to compare the arms by, and the student they start from"
        )
    pairs = find_pairs(settings.pairs)
    if any(hr is None for _, _, hr in pairs):
        raise TrainError(f"{settings.pairs}: the arms are compared on pairs; give a folder with LR and HR inside")
    basis = conditions(settings, len(pairs))  # before the training: a wrong file is known at once
    train_arms(settings)
    if not processes.is_first():
        return
    results = basis | {"scores": evaluate_arms(settings, pairs)}
    with replacing(settings.out / "ablation.json") as draft:
        draft.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    with replacing(settings.out / "ablation.md") as draft:
        draft.write_text(table(results["scores"]) + "\n", encoding="utf-8")
    with replacing(settings.out / "ablation.jpg") as draft:
        models = predictors(settings.out, settings.seed, settings.teacher, settings.autoencoder)
        picture_sheet(pairs[:SHEET_PAIRS], models).save(draft, "JPEG", quality=92)
    commands.say(table(results["scores"]))
    commands.say(f"wrote {settings.out / 'ablation.json'}, ablation.md and ablation.jpg")


if __name__ == "__main__":
    commands.run(main, resumes=True)
