"""The deterministic pieces of the degradation."""

import re
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tests.reference.findings import FLOAT32, FLOAT64, Finding, compare
from tests.reference.folder import GoldenFolder, Stored
from train.data.degradation import kernels
from train.data.degradation.filters import filter2d
from train.data.degradation.jpeg import jpeg
from train.data.degradation.resize import matlab_bicubic, resize

SINC = re.compile(r"sinc(\d+)_omega(\d+)(?:p(\d+))?(?:_pad(\d+))?")
"""Size, cutoff with p for its point, and the size that it is padded to."""
CROPPED_QUALITY = 50
"""Quality of the JPEG on pictures whose sides are no multiples of 16."""
CORNER = (12, 16)
"""What is enlarged of the first picture."""
SCALE = 4
JPEG = 1e-5
JPEG_SHARE = 0.75
"""JPEG rounds: float noise may tip a coefficient and with it a block, so only so many of the pixels need agree."""


def check_degradation(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Blur kernels, filtering, JPEG and resizing on the stored pictures."""
    yield from _kernels(stored)
    image, corner = stored["image"], stored["image"][0, :, : CORNER[0], : CORNER[1]]
    filtered = [filter2d(x, k.double().numpy()) for x, k in zip(image, stored["filter2d_kernels"], strict=True)]
    yield compare("filter2d_out", torch.stack(filtered), stored["filter2d_out"], FLOAT32)
    qualities = [_quality(float(factor)) for factor in stored["jpeg_quality"]]
    compressed = torch.stack([jpeg(x, quality) for x, quality in zip(image, qualities, strict=True)])
    yield _most("jpeg_out", compressed, stored["jpeg_out"])
    height, width = stored["jpeg_nonmult_out"].shape[2:]
    cropped = torch.stack([jpeg(x[:, :height, :width], CROPPED_QUALITY) for x in image])
    yield _most("jpeg_nonmult_out", cropped, stored["jpeg_nonmult_out"])
    yield compare("matlab_down4", matlab_bicubic(image[0], 1 / SCALE), stored["matlab_down4"], FLOAT32)
    yield compare("matlab_up4", matlab_bicubic(corner, SCALE), stored["matlab_up4"], FLOAT32)
    enlarged = resize(corner, (SCALE * CORNER[0], SCALE * CORNER[1]), "bicubic")[None]
    yield compare("torch_bicubic_up4", enlarged, stored["torch_bicubic_up4"], FLOAT32)


def _kernels(stored: Stored) -> Iterator[Finding]:
    for name in stored:
        if name.endswith("_params"):
            kernel = name.removesuffix("_params")
            shape = kernels.plateau if kernel.startswith("plateau") else kernels.gaussian
            size, *parameters = stored[name].tolist()
            yield compare(kernel, shape(int(size), *parameters), stored[kernel], FLOAT64)
        elif match := SINC.fullmatch(name):
            size, whole, fraction, padded = match.groups()
            sinc = kernels.sinc(int(size), float(f"{whole}.{fraction or 0}"))
            pad = (int(padded or size) - int(size)) // 2
            yield compare(name, np.pad(sinc, pad), stored[name], FLOAT64)


def _quality(factor: float) -> float:
    """The inverse of ``quality_factor``: files store DiffJPEG's factor on the tables."""
    return 50 / factor if factor > 1 else 100 - 50 * factor


def _most(what: str, ours: Tensor, stored: Tensor) -> Finding:
    error = float((ours - stored).abs().flatten().quantile(JPEG_SHARE))
    return Finding(f"{what}, {JPEG_SHARE:.0%} of the pixels", error, JPEG)
