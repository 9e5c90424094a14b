"""Weights from a seed, by which implementations are compared without exchanging files: the goldens' "RS-fill"."""

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn


def seeded_weights(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, Tensor]:
    """Make float32 weights of these names and shapes.

    One ``numpy.random.RandomState(seed)``, whose stream NumPy keeps for ever, is drawn from in the plain string order
    of the names. Matrices and kernels get x / sqrt(fan-in), gains 1 + 0.1 x, biases 0.1 x, tables of relative position
    biases 0.5 x, codebooks x; x is standard normal in float64.
    """
    stream = np.random.RandomState(seed)
    weights = {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        x = stream.standard_normal(math.prod(shape)).reshape(shape)
        if name.endswith("relative_position_bias_table"):
            x = 0.5 * x
        elif len(shape) >= 2 and not name.endswith("quantize.embedding.weight"):
            x = x / math.sqrt(math.prod(shape[1:]))
        elif len(shape) < 2:
            x = 1 + 0.1 * x if name.endswith(".weight") else 0.1 * x
        weights[name] = torch.from_numpy(x.astype(np.float32))
    return weights


def seed_network(network: nn.Module, seed: int, rounded: bool) -> dict[str, Tensor]:
    """Seeded weights for the parameters of a network (on any device), float32; ``rounded`` to what float16 holds."""
    weights = seeded_weights({name: tuple(value.shape) for name, value in network.named_parameters()}, seed)
    return {name: value.half().float() if rounded else value for name, value in weights.items()}


def sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash the names in plain string order, each as UTF-8 followed by its little-endian float32 numbers."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name].detach().cpu().numpy(), dtype="<f4").tobytes())
    return digest.hexdigest()
