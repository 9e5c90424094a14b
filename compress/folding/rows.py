"""What folding adds to a report: what the LR encoder, and for VQ the deployed decoder, cost in quality."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.folding.networks import Networks
from compress.reporting.measure import measure, measure_opened
from compress.reporting.opened import count_macs, open_model
from compress.reporting.rows import Row
from train.diffusion.latents import condition
from train.diffusion.pixels import to_picture
from train.evaluation.predictors import SamplingOptions, padded_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.task import without_noise


def add_rows(networks: Networks, program: Path, pairs: Path, report: Path, provenance: Mapping[str, Any]) -> list[Row]:
    """The rows ``unfolded``, the student with the full encoder and decoder, and ``folded``, the program, beside it.

    Folding itself is exact, so what is between them is the LR encoder's error (and a VQ decoder's, deployed).
    Raises ``TadsrError`` as ``compress.reporting.measure.measure``.
    """
    student, autoencoder = networks.student, networks.autoencoder
    colour = ColourCorrection(networks.scale)

    @torch.no_grad()
    def unfolded(lr: Tensor) -> Tensor:
        given = condition(autoencoder, lr, networks.scale)
        decoded = autoencoder.decode(without_noise(student, networks.schedule, given))
        return to_picture(colour.of_model(given.lq, decoded))

    predictor = padded_predictor(unfolded, student.stride, networks.scale)
    before = measure(
        "unfolded",
        predictor,
        pairs,
        report,
        against=None,
        size=None,
        macs_per_pixel=count_macs(predictor),
        parameters=sum(p.numel() for network in (autoencoder, student) for p in network.parameters()),
        provenance=dict(provenance),
    )
    model = open_model(program, SamplingOptions())
    after = measure_opened("folded", model, pairs, report, against="unfolded", provenance=dict(provenance))
    return [before, after]
