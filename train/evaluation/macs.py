"""What a call computes: its floating-point operations and multiply-accumulates."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def count_flops(call: Callable[[], object]) -> int:
    """The floating-point operations of convolutions and matrix products in one call, forward and backward.

    A multiplication and an addition count as two. What is computed again for want of memory counts again.
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def macs_per_pixel(call: Callable[[], object], side: int) -> int:
    """Multiply-accumulates of one call for each pixel of a square of ``side``, of convolutions and matrix products."""
    return count_flops(call) // 2 // side**2
