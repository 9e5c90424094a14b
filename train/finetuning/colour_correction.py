"""Colour correction: what the large picture lacks of the LR picture's colours is put back.

A network that removes noise takes fine colour with it, leaves areas a little darker or lighter, and INT8 rounds what is
left. Back-projection (Irani and Peleg, "Improving Resolution by Image Registration", 1991) undoes that: what the
reduced result lacks of the input is enlarged and added, up to ``LIMIT``: what differs by more is noise, and stays out.
Colour is put back pixel by pixel, brightness as the mean of ``AREA`` by ``AREA`` pixels, or it would bring noise back.
It is part of the graph, in training and deployed, so every device has the same colours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.diffusion.pixels import LUMA, from_model, to_model

LIMIT = 3 / 255
"""Of a channel. What networks and INT8 do to clean colours is a level or two; noise that is seen is more."""
AREA = 5
"""Side in LR pixels of what has a brightness; its noise is a fifth of a pixel's."""
STEP = 2
"""The last of the two steps by which a difference is enlarged: two small pixel shuffles cost less than a large one."""


class ColourCorrection(nn.Module):
    """lr [N, 3, h, w] in [0, 1] and sr [N, 3, scale h, scale w] in about [0, 1] -> sr with lr's colours, not clamped.

    Its constants are the weights of convolutions, which every engine has. The limit m is two ReLUs behind one of them,
    clip(z, -m, m) = relu(z + m) - relu(z - m) - m, which engines compute with it where a clip takes a pass of its own.
    """

    mean: Tensor
    parts: Tensor
    limits: Tensor
    spread: Tensor
    middle: Tensor
    smooth: Tensor

    def __init__(self, scale: int) -> None:
        """``scale`` is even."""
        super().__init__()
        self.scale, self.first = scale, scale // STEP
        self.register_buffer("mean", torch.full((3, 1, scale, scale), 1 / scale**2))
        parts, together = colour_and_brightness(), torch.cat([without_luma(), torch.ones(3, 1)], dim=1)
        self.register_buffer("parts", torch.cat([parts, parts]))
        self.register_buffer("limits", torch.tensor([LIMIT, -LIMIT]).repeat_interleave(len(parts)))
        spread = torch.cat([together, -together], dim=1).repeat_interleave(self.first**2, 0)
        self.register_buffer("spread", spread[..., None, None])
        self.register_buffer("middle", torch.full((len(spread),), -LIMIT))  # of brightness; colour's sum up to 0
        self.register_buffer("smooth", doubling())

    def forward(self, lr: Tensor, sr: Tensor) -> Tensor:
        lacking = lr - F.conv2d(sr, self.mean, stride=self.scale, groups=3)
        above = F.conv2d(lacking, self.parts, self.limits, padding=AREA // 2).relu()
        limited = F.conv2d(above, self.spread, self.middle)
        enlarged = F.conv2d(F.pixel_shuffle(limited, self.first), self.smooth, padding=1)
        return sr + F.pixel_shuffle(enlarged, STEP)

    def without_limit(self) -> None:
        """Whatever lacks is added from now on: z = relu(z) - relu(-z)."""
        parts, _ = self.parts.chunk(2)
        self.parts = torch.cat([parts, -parts])
        self.limits, self.middle = torch.zeros_like(self.limits), torch.zeros_like(self.middle)

    def of_model(self, lq: Tensor, x: Tensor) -> Tensor:
        """lq and x in [-1, 1] -> x corrected, in [-1, 1]; in float32 while networks train in half precision."""
        with torch.autocast(x.device.type, enabled=False):  # whose steps near 1 are as large as the limit
            small, large = (from_model(picture.to(self.mean.dtype)) for picture in (lq, x))
            return to_model(self(small, large))


def brightness() -> Tensor:
    """[3]: luma's weights, which here sum up to 1: a grey is as bright as its channels."""
    weights = torch.tensor(LUMA)
    return weights / weights.sum()


def without_luma() -> Tensor:
    """[3, 3]: takes its luma from a colour, the same amount from each channel; grey becomes 0."""
    return torch.eye(3) - brightness()


def colour_and_brightness() -> Tensor:
    """[4, 3, AREA, AREA]: a pixel's colour without its luma, and the mean luma of the area around it."""
    kernel = torch.zeros(4, 3, AREA, AREA)
    kernel[:3, :, AREA // 2, AREA // 2] = without_luma()
    kernel[3] = brightness()[:, None, None] / AREA**2
    return kernel


def doubling() -> Tensor:
    """[12, 3, 3, 3]: with a pixel shuffle behind it, linear interpolation of three channels to twice the size."""
    line = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
    taps = torch.einsum("iy,jx->ijyx", line, line)
    return torch.einsum("ck,ijyx->cijkyx", torch.eye(3), taps).flatten(0, 2)
