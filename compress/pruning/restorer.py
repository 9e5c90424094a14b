"""The student with a decoder, pruned or not, as what makes a large picture of a small one."""

import numpy as np
import torch
from numpy.typing import NDArray

from compress.pruning.inputs import StudentLatents
from compress.pruning.part import Part
from train.noise import Noise
from train.pixels import to_picture
from train.restorers import Restorer

Picture = NDArray[np.uint8]


def restorer(latents: StudentLatents, decoder: Part, seed: int) -> Restorer:
    """lr [h, w, 3] -> sr [4h, 4w, 3]; the picture is reflected up to a multiple of the student's stride."""
    align = latents.student.stride * latents.student.config.lq_factor

    @torch.no_grad()
    def restore(lr: Picture, hr: Picture | None) -> Picture:
        height, width = lr.shape[:2]
        padded = np.pad(lr, ((0, -height % align), (0, -width % align), (0, 0)), mode="reflect")
        lq = torch.from_numpy(padded.transpose(2, 0, 1).astype(np.float32))[None] / 255
        sr = to_picture(decoder(latents({"lq": lq}, Noise(seed, 0))))[0]
        cut = sr[:, : latents.scale * height, : latents.scale * width]
        return (cut * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()

    return restore
