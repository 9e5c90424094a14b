"""The student with a decoder, pruned or not, as what makes a large picture of a small one."""

from torch import Tensor

from compress.colour import KeptColour
from compress.pruning.inputs import StudentLatents
from compress.pruning.part import Part
from train.noise import Noise
from train.pixels import to_model, to_picture
from train.restorers import Restorer, padded_restorer


def restorer(latents: StudentLatents, decoder: Part, seed: int) -> Restorer:
    """lr [h, w, 3] -> sr [4h, 4w, 3]; the picture is reflected up to a multiple of the student's stride.

    Where it is enlarged, it keeps its colours as it does when deployed.
    """
    colour = KeptColour(latents.scale) if latents.scale > 1 else None

    def restore(lq: Tensor) -> Tensor:
        decoded = decoder(latents({"lq": lq}, Noise(seed, 0)))
        return to_picture(decoded if colour is None else colour.of_model(to_model(lq), decoded))

    return padded_restorer(restore, latents.student.stride * latents.student.config.lq_factor, latents.scale)
