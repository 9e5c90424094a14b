"""What folding adds to a report: what the LR encoder, and for VQ the deployed decoder, cost in quality."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.folding.networks import Networks
from compress.reporting.measure import measure
from compress.reporting.results import StageResult
from train.diffusion.latents import condition
from train.diffusion.pixels import to_picture
from train.evaluation.predictors import open_predictor, padded_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.student import without_noise


def add_rows(
    networks: Networks, program: Path, pairs: Path, report: Path, provenance: Mapping[str, Any]
) -> list[StageResult]:
    """The rows ``unfolded``, the student with the full encoder and decoder, and ``folded``, the program, beside it.

    Folding itself is exact, so what is between them is the LR encoder's error (and a VQ decoder's, deployed).
    Raises ``TadsrError`` as ``compress.reporting.measure.measure``.
    """
    student, autoencoder = networks.student, networks.autoencoder
    colour = ColourCorrection(networks.scale)

    @torch.no_grad()
    def unfolded(lr: Tensor) -> Tensor:
        conditions = condition(autoencoder, lr, networks.scale)
        decoded = autoencoder.decode(without_noise(student, networks.schedule, conditions))
        return to_picture(colour.of_model(conditions.lq, decoded))

    parameters = sum(p.numel() for network in (autoencoder, student) for p in network.parameters())
    before = padded_predictor(unfolded, student.stride, networks.scale, parameters=parameters)
    return [
        measure("unfolded", before, pairs, report, baseline=None, provenance=provenance),
        measure("folded", open_predictor(program), pairs, report, baseline="unfolded", provenance=provenance),
    ]
