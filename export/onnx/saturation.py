"""Whether integer convolutions stay exact on CPUs without VNNI.

AVX2 multiplies uint8 data with int8 weights and adds neighbouring products in 16 bits, which saturate: 255 (w1 + w2)
must stay below 2^15. Neighbours are neighbours in (kernel row, kernel column, input channel) order, as ONNX Runtime
lays convolutions out. (Vpmaddubsw, Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.)
"""

import numpy as np
from numpy.typing import NDArray

LARGEST_PAIR = 128
"""The largest sum of two neighbouring weights of one sign that no data can make saturate: 255 * 128 < 2^15."""


def pairs(weight: NDArray[np.int8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Weights [O, I, kh, kw] -> the first and the second weight of every pair, each [O, ceil(I kh kw / 2)]."""
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1).astype(np.int32)
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    return rows[:, ::2], rows[:, 1::2]


def largest_pair(weight: NDArray[np.int8]) -> int:
    """The largest sum of two neighbours, counted among the positive weights and among the negative ones."""
    first, second = pairs(weight)
    return int(max((np.maximum(sign * first, 0) + np.maximum(sign * second, 0)).max() for sign in (1, -1)))
