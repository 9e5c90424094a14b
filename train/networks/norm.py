"""The group normalisation of ResShift's networks."""

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


class GroupNorm(nn.GroupNorm):
    """32 groups; computed in float32 whatever the precision around it, then cast back, as in the official code.

    Where pruning left fewer channels there are fewer groups, each as large as before.
    """

    def __init__(self, channels: int, eps: float, groups: int = GROUPS) -> None:
        super().__init__(groups, channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape and dtype."""
        return F.group_norm(x.float(), self.num_groups, self.weight.float(), self.bias.float(), self.eps).to(x.dtype)
