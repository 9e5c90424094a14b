"""Pixels between pictures, [0, 1], and networks, [-1, 1]; and the enlarging that the diffusion's z_y starts from."""

import torch.nn.functional as F
from torch import Tensor


def to_model(pictures: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]."""
    return pictures * 2 - 1


def to_picture(x: Tensor) -> Tensor:
    """About [-1, 1] -> [0, 1], clamped."""
    return (x * 0.5 + 0.5).clamp(0, 1)


def enlarge(lq: Tensor, scale: int = 4) -> Tensor:
    """Bicubic, as ResShift enlarges LQ before encoding it: no antialiasing, overshoot is kept. [N, 3, h, w]."""
    return F.interpolate(lq.float(), scale_factor=scale, mode="bicubic", align_corners=False)
