"""Network interpolation: the network between one and what it became in a finetuning.

After an adversarial finetuning most of its texture lies there already, and little of its artefacts (Wang et al.,
"ESRGAN", ECCV Workshops 2018, section 3.4).
"""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def interpolate(before: Network, after: Network, share: float) -> Network:
    """A copy, on the CPU, whose weights are (1 - share) those of ``before`` and share those of ``after``.

    The two have the same weights by name and shape; buffers that are no floats are those of ``after``.
    """
    between = copy.deepcopy(after).cpu()
    start = before.state_dict()
    for name, value in between.state_dict().items():
        if value.is_floating_point():
            value.copy_(start[name].cpu().lerp(value, share))
    return between
