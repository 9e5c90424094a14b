"""The student with a decoder, pruned or not, as what makes a large picture of a small one."""

from torch import Tensor

from compress.pruning.inputs import StudentLatents
from compress.pruning.part import Part
from train.noise import Noise
from train.pixels import to_picture
from train.restorers import Restorer, padded_restorer


def restorer(latents: StudentLatents, decoder: Part, seed: int) -> Restorer:
    """lr [h, w, 3] -> sr [4h, 4w, 3]; the picture is reflected up to a multiple of the student's stride."""

    def restore(lq: Tensor) -> Tensor:
        return to_picture(decoder(latents({"lq": lq}, Noise(seed, 0))))

    return padded_restorer(restore, latents.student.stride * latents.student.config.lq_factor, latents.scale)
