"""LPIPS, CLIPIQA, MUSIQ, FID and the other learned metrics of ``pyiqa``, for who has it; it is imported only here.

pyiqa fetches the weights of a metric the first time it is used.
"""

import importlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tadsr.extras import require
from train.diffusion.pixels import to_tensor
from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean
from train.evaluation.scoring import Measure, Picture

FolderMetric = Callable[[Path, Path], float]
"""(folder of results, folder of HR pictures) -> the figure of the whole set."""


@dataclass(frozen=True)
class Perceptual:
    """Metrics by the names that pyiqa gives them."""

    of_pictures: Mapping[str, Measure] = field(default_factory=dict)
    """LPIPS (full-reference: NaN without an HR picture), CLIPIQA, MUSIQ (no-reference) and their like."""
    of_folders: Mapping[str, FolderMetric] = field(default_factory=dict)
    """FID and its variants, which compare the distributions of two sets."""


def open_metrics(names: Sequence[str]) -> Perceptual:
    """The metrics of these names, on a GPU where there is one.

    Raises ``TrainError`` where pyiqa is not installed, knows no such metric, or cannot prepare it (no network, say).
    """
    if not names:
        return Perceptual()
    try:
        require("metrics", "pyiqa")
        with redirect_stdout(sys.stderr):
            pyiqa = importlib.import_module("pyiqa")
    except ImportError as error:
        raise TrainError(f"{','.join(names)}: {error}") from error
    known = list(pyiqa.list_models())
    metrics = {name: _open(pyiqa, name, known) for name in names}
    folders = {name: metric for name, metric in metrics.items() if "fid" in name}  # pyiqa goes by the name, too
    return Perceptual(
        {name: _picture_metric(name, metric) for name, metric in metrics.items() if name not in folders},
        {name: _folder_metric(name, metric) for name, metric in folders.items()},
    )


def _open(pyiqa: Any, name: str, known: Sequence[str]) -> Any:
    if name not in known:
        raise TrainError(f"{name}: no metric of pyiqa{did_you_mean(name, known)} `pyiqa.list_models()` names them all")
    return _called(name, pyiqa.create_metric, name)


def _picture_metric(name: str, metric: Any) -> Measure:
    def measure(sr: Picture, hr: Picture | None) -> float:
        if metric.metric_mode != "FR":
            return float(_called(name, metric, to_tensor(sr)))
        return math.nan if hr is None else float(_called(name, metric, to_tensor(sr), to_tensor(hr)))

    return measure


def _folder_metric(name: str, metric: Any) -> FolderMetric:
    return lambda results, references: float(_called(name, metric, str(results), str(references), verbose=False))


def _called(name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A call into pyiqa, whose failures are of any type, and whose notes must not end up among the results."""
    try:
        with redirect_stdout(sys.stderr):
            return function(*arguments, **options)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise TrainError(
            f"{name}: pyiqa cannot compute it ({reason}); leave it out, or see pyiqa's own notes"
        ) from error
