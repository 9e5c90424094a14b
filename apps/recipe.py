"""`tadsr recipe`: every stage in order, from a folder of photos to a bundle; given again, it goes on where it was.

A stage is a `python -m` command of its own: what it is given of the stages before it stands in `recipes/NAME.yaml`, its
settings in the preset of that name. A stage that is done leaves a file that says by which command.
"""

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.atomic import replacing
from runtime.bundle import SUFFIX
from tadsr.packages import python_command

from .errors import CommandError

RECIPES = Path(__file__).parent / "recipes"
SMOKE = "smoke"
"""The preset of runs that only show that everything works together."""
DRAWN_PHOTOS, DRAWN_SIDE = 6, 160
DONE = "done.json"


@dataclass(frozen=True)
class Stage:
    """One command of a recipe."""

    name: str
    """Of its folder in the recipe's."""
    module: str
    minutes: Mapping[str, float]
    """What it takes, by kind of machine."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Files of the stages before it, within the recipe's folder."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings that are not the preset's."""
    photos: str | None = None
    """The stage whose folder it trains on; None: the photos."""

    def command(self, preset: str, photos: Path, licences: str, out: Path) -> list[str]:
        """The words after `python -m`."""
        given = out / self.photos if self.photos else photos
        options: dict[str, object] = {"preset": preset, "photos": given, "licences": licences, "out": out / self.name}
        options |= {name: out / file for name, file in self.options.items()}
        options |= self.fixed
        return [self.module, *(f"--{name}={value}" for name, value in options.items())]


def read_recipe(name: str) -> list[Stage]:
    """The stages of a recipe. Raises `CommandError` where there is none of that name."""
    import yaml

    path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.yaml")))
        raise CommandError(f"{name}: no such recipe; choose one of {known}")
    return [Stage(**stage) for stage in yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]]


def commands_of(
    name: str, stages: Sequence[Stage], photos: Path, out: Path, *, licences: str = "all", smoke: bool = False
) -> dict[str, list[str]]:
    """The words after `python -m` of every stage, the bundle last, by the names of their folders."""
    preset = SMOKE if smoke else name
    commands = {stage.name: stage.command(preset, photos, licences, out) for stage in stages}
    programs = [str(out / "fold/student.pt2"), str(out / "quantize/student.int8.pt2")]
    commands["bundle"] = ["export.bundle", *programs, "-o", str(out / f"{name}{SUFFIX}")]
    return commands


def as_typed(words: Sequence[str]) -> str:
    """The command line of the words after `python -m`."""
    return shlex.join(["python", "-m", *words])


def estimate(stages: Sequence[Stage]) -> str:
    """One line of what all stages take."""
    kinds = {kind: sum(stage.minutes[kind] for stage in stages) for kind in ("cpu", "gpu")}
    return f"about {kinds['cpu'] / 60:.1f} hours on a CPU, {kinds['gpu'] / 60:.1f} on a GPU (an assumption)"


def run_recipe(commands: Mapping[str, Sequence[str]], out: Path, say: Callable[[str], None]) -> None:
    """Run what is not done yet, one after the other; each speaks for itself. Raises `CommandError` where one fails."""
    for number, (name, words) in enumerate(commands.items(), start=1):
        label, marker = f"{number}/{len(commands)} {name}", out / f"{name}.{DONE}"
        if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) == list(words):
            say(f"{label}: done before")
            continue
        say(f"{label}: {as_typed(words)}")
        code = subprocess.run(python_command(*words[0].split("."), *words[1:]), check=False).returncode
        if code:
            raise CommandError(
                f"{name}: ended with exit code {code}; mend what it says, then give the same command again"
            )
        with replacing(marker) as draft:
            draft.write_text(json.dumps(list(words)), encoding="utf-8")


def draw_photos(folder: Path) -> None:
    """Pictures that the project draws itself, in the place of photos."""
    import numpy as np
    from PIL import Image

    from train.data.synthetic import draw_synthetic

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(DRAWN_PHOTOS):
        Image.fromarray(draw_synthetic(np.random.default_rng(number), DRAWN_SIDE)).save(folder / f"{number}.png")
