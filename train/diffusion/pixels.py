"""Pixels between 8-bit pictures, tensors, [0, 1], and networks, [-1, 1]; the enlarging that z_y starts from; luma."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
"""Weights of red, green and blue in luma: ITU-R BT.601, studio range."""


def to_tensor(levels: NDArray[np.uint8]) -> Tensor:
    """8-bit [h, w, 3] -> float32 [1, 3, h, w] in [0, 1]."""
    return torch.from_numpy(levels.transpose(2, 0, 1).astype(np.float32))[None] / 255


def from_tensor(pictures: Tensor) -> NDArray[np.uint8]:
    """The first of [N, 3, h, w], clamped to [0, 1] -> 8-bit [h, w, 3]."""
    return (pictures[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def to_model(pictures: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]."""
    return pictures * 2 - 1


def from_model(x: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], not clamped."""
    return x * 0.5 + 0.5


def to_picture(x: Tensor) -> Tensor:
    """About [-1, 1] -> [0, 1], clamped."""
    return from_model(x).clamp(0, 1)


def enlarge(lq: Tensor, scale: int = 4) -> Tensor:
    """Bicubic, as ResShift enlarges LQ before encoding it: no antialiasing, overshoot is kept. [N, 3, h, w]."""
    return F.interpolate(lq.float(), scale_factor=scale, mode="bicubic", align_corners=False)


def luma(pictures: Tensor) -> Tensor:
    """[N, 3, H, W] -> [N, 1, H, W], without the offset of ITU-R BT.601's studio range."""
    return (pictures * torch.tensor(LUMA, device=pictures.device)[:, None, None]).sum(1, keepdim=True)


def grey_gradient(x: Tensor) -> Tensor:
    """Pictures [N, 3, H, W], unchanged; their gradient reaches all three channels alike.

    A loss on luma cannot tell grey texture from coloured; with equal gradients it can only make grey.
    """
    grey = x.mean(1, keepdim=True)
    return x.detach() + (grey - grey.detach())
