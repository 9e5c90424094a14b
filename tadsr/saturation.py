"""Whether INT8 convolutions stay exact on CPUs without VNNI: compression sees to it, and exporting checks it.

AVX2 multiplies uint8 data with int8 weights and adds neighbouring products in 16 bits, which saturate: 255 (w1 + w2)
must stay below 2^15. Neighbours are neighbours in (kernel row, kernel column, input channel) order, as engines pack
kernels. (Vpmaddubsw, Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_PAIR = 128
"""The largest sum of two neighbouring weights of one sign that no data can make saturate: 255 * 128 < 2^15."""


def largest_pair(weights: "Tensor") -> "Tensor":
    """The largest |w1 + w2| of neighbours with the same sign in each output channel: [O, I, kh, kw] -> [O]."""
    import torch
    from torch.nn import functional as F

    packed = weights.permute(0, 2, 3, 1).flatten(1)
    pairs = F.pad(packed, (0, packed.shape[1] % 2)).unflatten(1, (-1, 2))
    return torch.maximum(pairs.clamp_min(0).sum(2), (-pairs).clamp_min(0).sum(2)).amax(1)
