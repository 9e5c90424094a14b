"""The group normalisation of ResShift's networks."""

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


class GroupNorm(nn.GroupNorm):
    """32 groups; computed in float32 whatever the precision around it, then cast back, as in the official code."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__(GROUPS, channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape and dtype."""
        return F.group_norm(x.float(), GROUPS, self.weight.float(), self.bias.float(), self.eps).to(x.dtype)
