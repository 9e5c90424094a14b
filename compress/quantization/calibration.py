"""The range of every tensor that will be int8, measured on pictures by NNCF's post-training quantisation."""

import os
import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.utils.data import Dataset

from compress.quantization.quantizer import Int8Quantizer
from tadsr.program import QUANTIZE
from train.data.crops import Sample
from train.data.teacher_samples import TeacherSamples
from train.engine.errors import TrainError
from train.engine.settings import TrainingSettings
from train.engine.sources import training_photos

os.environ.setdefault("NNCF_CI", "1")  # before its import: otherwise it reports its use to its makers

import nncf
from nncf.experimental.torch.fx import quantize_pt2e
from nncf.quantization.range_estimator import RangeEstimatorParametersSet

CROPS_PER_PICTURE = 4
"""Crops of every picture that ranges are measured on."""
CROPS_PER_BATCH = 16
"""Crops that a program computes at once."""

Ranges = dict[str, float]
"""The largest magnitude of every int8 activation, by the name of the node that makes it."""


def calibration_tiles(dataset: Dataset[Sample], settings: TrainingSettings, pictures: int) -> list[Tensor]:
    """``CROPS_PER_PICTURE`` LR crops for each of so many pictures, in batches [N, 3, h, w] in [0, 1].

    Raises ``TrainError`` where there are not so many pictures.
    """
    available = _count(dataset, settings)
    if available is not None and available < pictures:
        raise TrainError(
            f"{settings.photos}: {available} pictures, and the ranges are to be measured on {pictures}; "
            f"give more photos{f', or --calibration {available}' if available else ''}"
        )
    crops = torch.stack([dataset[i]["lq"] for i in range(CROPS_PER_PICTURE * pictures)])
    return list(crops.split(CROPS_PER_BATCH))


def _count(dataset: Dataset[Sample], settings: TrainingSettings) -> int | None:
    """Pictures of a run, or None where they are only drawn from, never counted."""
    if isinstance(dataset, TeacherSamples):
        return len(dataset) // CROPS_PER_PICTURE
    photos = training_photos(settings)
    return len(photos) if isinstance(photos, Sequence) else None


def measure_ranges(graph: GraphModule, tiles: Sequence[Tensor], keep_float: Collection[str]) -> Ranges:
    """What each int8 activation of a float program reaches at most on any of the tiles; the graph is used up.

    The largest on any tile, not a mean over them: a picture that leaves the range shows it, one that does not use all
    of it loses nothing that can be seen.
    """
    nncf.set_log_level(40)  # logging.ERROR: that this part of it is experimental is said on every call
    with redirect_stdout(sys.stderr), torch.no_grad():  # its progress bars
        quantised = quantize_pt2e(
            graph,
            Int8Quantizer(keep_float),
            nncf.Dataset(tiles),
            subset_size=len(tiles),
            fast_bias_correction=None,  # finetuning corrects more than biases
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        )
    nodes = (node for node in quantised.graph.nodes if str(node.target) == QUANTIZE)
    return {node.args[0].name: _largest(*node.args[1:5]) for node in nodes}


def _largest(scale: float, zero_point: int, lowest: int, highest: int) -> float:
    return scale * max(zero_point - lowest, highest - zero_point)
