"""Integer convolutions as a CPU with AVX2 and no VNNI computes them: sums of two products saturate at 16 bits."""

import numpy as np
import torch
from numpy.typing import NDArray


def convolve(
    data: NDArray[np.uint8], weight: NDArray[np.int8], padding: int, zero_point: int, *, saturating: bool
) -> NDArray[np.int64]:
    """uint8 [N, I, h, w] and int8 [O, I, k, k] -> sums of products [N, O, h' w'], stride 1, the border zero points."""
    inputs, kernel = weight.shape[1:3]
    padded = np.pad(data, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=zero_point)
    columns = torch.nn.functional.unfold(torch.from_numpy(padded.astype(np.float32)), kernel).numpy().astype(np.int32)
    columns = columns.reshape(len(data), inputs, kernel * kernel, -1).swapaxes(1, 2)  # channels last, as the weights
    columns = columns.reshape(len(data), inputs * kernel * kernel, -1)
    columns = np.pad(columns, ((0, 0), (0, columns.shape[1] % 2), (0, 0)))
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1).astype(np.int32)
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    first, second = rows[:, ::2], rows[:, 1::2]
    products = np.einsum("op,npl->nopl", first, columns[:, ::2]) + np.einsum("op,npl->nopl", second, columns[:, 1::2])
    if saturating:
        products = products.clip(-(2**15), 2**15 - 1)
    return products.sum(2, dtype=np.int64)
