"""What JPEG compression does to the pixels (4:2:0, the standard tables), without the entropy coding.

The same steps and constants as DiffJPEG with plain rounding (Shin & Song, 2017), which Real-ESRGAN and ResShift train
with: the tables lie transposed, and pictures are padded with black to a multiple of 16.
"""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_RGB_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_YCBCR_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """RGB -> YCbCr, YCbCr -> RGB [3, 3], luma and chroma table [64], orthonormal 8x8 DCT on flat blocks [64, 64]."""
    k = torch.arange(8, dtype=torch.float64)
    dct = torch.cos((2 * k + 1) * k[:, None] * math.pi / 16) / 2
    dct[0] /= math.sqrt(2)
    tables = (torch.tensor(t, dtype=torch.float32).T.flatten() for t in (_LUMA_TABLE, _CHROMA_TABLE))
    matrices = (torch.tensor(m, dtype=torch.float32) for m in (_RGB_TO_YCBCR, _YCBCR_TO_RGB))
    forward, backward, luma, chroma, flat_dct = (
        t.to(device) for t in (*matrices, *tables, torch.kron(dct, dct).float())
    )
    return forward, backward, luma, chroma, flat_dct


def _quantise(planes: Tensor, table: Tensor, dct: Tensor) -> Tensor:
    """OptimiserStep the DCT coefficients of `planes` [C, H, W] (levels, zero-centred) to multiples of `table` [64]."""
    c, h, w = planes.shape
    blocks = planes.view(c, h // 8, 8, w // 8, 8).transpose(2, 3).reshape(-1, 64)
    coefficients = (blocks @ dct.T).div_(table).round_().mul_(table)
    return (coefficients @ dct).view(c, h // 8, w // 8, 8, 8).transpose(2, 3).reshape(c, h, w)


def quality_factor(quality: float) -> float:
    """libjpeg's factor on the quantisation tables for a quality of 1 to 100; it falls to 0 (no loss) at 100."""
    return (5000 / quality if quality < 50 else 200 - 2 * quality) / 100


def jpeg(image: Tensor, quality: float) -> Tensor:
    """Compress and decompress `image` [3, H, W] in [0, 1] at a JPEG `quality` in [1, 100); returns the same shape."""
    forward, backward, luma_table, chroma_table, dct = _constants(image.device)
    factor = quality_factor(quality)
    h, w = image.shape[-2:]
    padded = F.pad(image, (0, -w % 16, 0, -h % 16)) * 255
    ph, pw = padded.shape[-2:]
    ycbcr = (forward @ padded.reshape(3, -1)).view(3, ph, pw)
    luma = _quantise(ycbcr[:1] - 128, luma_table * factor, dct) + 128
    # Chroma carries an offset of 128 that the zero-centring takes off again, so neither is added here.
    chroma = _quantise(F.avg_pool2d(ycbcr[1:], 2), chroma_table * factor, dct)
    chroma = chroma.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    rgb = (backward @ torch.cat((luma, chroma)).view(3, -1)).view(3, ph, pw)
    return rgb[:, :h, :w].clamp(0, 255) / 255
