"""The memory layout in which dense convolutions are fast on CPUs and GPUs alike."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network, device: torch.device | None = None) -> Network:
    """The network, in place, on ``device`` with its 4-D weights in channels-last order."""
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
