"""What each MIL operation computes, in torch; names and meaning of the arguments are MIL's.

Source: coremltools' operation reference (``coremltools.converters.mil.mil.ops.defs``, iOS 15 to 17).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LIMITS = {"int8": (torch.int8, -128, 127), "uint8": (torch.uint8, 0, 255)}


def cast(*, x: Tensor, dtype: str) -> Tensor:
    """Between float types only; the interpreter rounds to what the output is declared to be."""
    if dtype not in ("fp16", "fp32"):
        raise NotImplementedError(f"cast to {dtype}")
    return x.float()


def clip(*, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    return x.clamp(float(alpha), float(beta))


def concat(*, values: Sequence[Tensor], axis: np.ndarray, interleave: np.ndarray) -> Tensor:
    if interleave:
        raise NotImplementedError("interleaved concat")
    return torch.cat(list(values), int(axis))


def conv(
    *,
    x: Tensor,
    weight: Tensor,
    strides: np.ndarray,
    pad_type: str,
    pad: np.ndarray,
    dilations: np.ndarray,
    groups: np.ndarray,
    bias: Tensor | None = None,
) -> Tensor:
    """Of [N, C, H, W]; ``pad`` is top, bottom, left, right where ``pad_type`` is ``custom``."""
    top, bottom, left, right = {"valid": (0, 0, 0, 0), "custom": tuple(pad.tolist())}.get(pad_type, (None,) * 4)
    if top is None:
        raise NotImplementedError(f"conv with pad_type {pad_type}")
    padded = F.pad(x, (left, right, top, bottom))
    return F.conv2d(padded, weight, bias, strides.tolist(), 0, dilations.tolist(), int(groups))


def pixel_shuffle(*, x: Tensor, upscale_factor: np.ndarray) -> Tensor:
    return F.pixel_shuffle(x, int(upscale_factor))


def quantize(
    *, input: Tensor, scale: Tensor, output_dtype: str, zero_point: Tensor | None = None, axis: np.ndarray | None = None
) -> Tensor:
    """clip(round(input / scale) + zero_point), ties to even."""
    dtype, low, high = LIMITS[output_dtype]
    steps = torch.round(input / _along(scale, axis, input)) + _zero(zero_point, axis, input)
    return steps.clamp(low, high).to(dtype)


def dequantize(
    *, input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: np.ndarray | None = None
) -> Tensor:
    """scale * (input - zero_point)."""
    return _along(scale, axis, input) * (input.float() - _zero(zero_point, axis, input))


def constexpr_affine_dequantize(
    *, quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: np.ndarray
) -> Tensor:
    return dequantize(input=quantized_data, scale=scale, zero_point=zero_point, axis=axis)


def _along(parameter: Tensor, axis: np.ndarray | None, x: Tensor) -> Tensor:
    """One number for all, or a vector that belongs to one axis of x."""
    if parameter.ndim == 0 or axis is None:
        return parameter
    shape = [1] * x.ndim
    shape[int(axis)] = -1
    return parameter.reshape(shape)


def _zero(zero_point: Tensor | None, axis: np.ndarray | None, x: Tensor) -> Tensor:
    return torch.zeros(()) if zero_point is None else _along(zero_point.float(), axis, x)


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda *, x, y: x + y,
    "cast": cast,
    "clip": clip,
    "concat": concat,
    "constexpr_affine_dequantize": constexpr_affine_dequantize,
    "conv": conv,
    "dequantize": dequantize,
    "mul": lambda *, x, y: x * y,
    "pixel_shuffle": pixel_shuffle,
    "quantize": quantize,
    "relu": lambda *, x: F.relu(x),
    "silu": lambda *, x: F.silu(x),
    "sub": lambda *, x, y: x - y,
}
"""Every operation that our graphs become. All float arithmetic is float32."""


def compute(kind: str, arguments: Mapping[str, Any]) -> Tensor:
    """One operation. Raises ``NotImplementedError`` for what is not in the table, or not in this form."""
    if kind not in OPERATORS:
        raise NotImplementedError(kind)
    return OPERATORS[kind](**arguments)
