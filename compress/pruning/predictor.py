"""The student with a decoder, pruned or not, as what makes a large picture of a small one."""

from torch import Tensor

from compress.pruning.part import Part
from train.diffusion.pixels import to_model, to_picture
from train.engine.noise import Noise
from train.evaluation.predictors import Predictor, padded_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.inputs import StudentLatents


def predictor(latents: StudentLatents, decoder: Part, seed: int) -> Predictor:
    """The student with its encoder and that decoder; pictures are reflected up to a multiple of the student's stride.

    Where a picture is enlarged, it keeps its colours as it does when deployed. The size in bytes is left open: the
    files have different precisions, and what counts is the folded program's.
    """
    encoder = latents.autoencoder.get_submodule("encoder") if latents.lr_encoder is None else latents.lr_encoder
    others = sum(parameter.numel() for part in (encoder, latents.student) for parameter in part.parameters())
    colour = ColourCorrection(latents.scale) if latents.scale > 1 else None

    def restore(lq: Tensor) -> Tensor:
        decoded = decoder(latents({"lq": lq}, Noise(seed, 0)))
        return to_picture(decoded if colour is None else colour.of_model(to_model(lq), decoded))

    align = latents.student.stride * latents.student.config.lq_factor
    return padded_predictor(restore, align, latents.scale, parameters=others + decoder.size)
