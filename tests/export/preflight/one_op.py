"""Programs of one operation each, behind a convolution, to try what every engine makes of it."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import ExportedProgram

CHANNELS, SIDE = 4, 8
Operation = Callable[[Tensor], Tensor]


OPERATIONS: Mapping[str, Operation] = {
    "add": lambda x: x + x.relu(),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "batch_norm": nn.BatchNorm2d(CHANNELS),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, scale_factor=2.0, mode="bicubic"),
    "cat": lambda x: torch.cat([x, x.relu()], 1),
    "chunk": lambda x: x.chunk(2, 1)[0] * 2,
    "clamp": lambda x: x.clamp(0, 1),
    "conv1d": nn.Sequential(nn.Flatten(2), nn.Conv1d(CHANNELS, 2, 3)),
    "conv2d": nn.Conv2d(CHANNELS, 2, 3),
    "conv3d": nn.Sequential(nn.Unflatten(1, (CHANNELS, 1)), nn.Conv3d(CHANNELS, 2, (1, 3, 3))),
    "conv_transpose2d": nn.ConvTranspose2d(CHANNELS, 2, 2, 2),
    "cos": torch.cos,
    "cumsum": lambda x: x.cumsum(3),
    "depthwise": nn.Conv2d(CHANNELS, CHANNELS, 3, groups=CHANNELS),
    "div": lambda x: x / (x.abs() + 1),
    "elu": F.elu,
    "exp": torch.exp,
    "fft": lambda x: torch.fft.rfft2(x).abs(),
    "gelu": F.gelu,
    "global_pool": lambda x: F.adaptive_avg_pool2d(x, 1),
    "grid_sample": lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1)),
    "group_norm": nn.GroupNorm(2, CHANNELS),
    "hardswish": F.hardswish,
    "instance_norm": F.instance_norm,
    "inverse": torch.linalg.inv,
    "layer_norm": nn.LayerNorm(SIDE),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "linear": nn.Linear(SIDE, 2),
    "matmul": lambda x: x @ x.transpose(2, 3),
    "max_pool2d": lambda x: F.max_pool2d(x, 2, 2),
    "mean": lambda x: x.mean((2, 3), keepdim=True),
    "mul": lambda x: x * x.relu(),
    "mul_constant": lambda x: x * 2,
    "nearest": lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "pad": lambda x: F.pad(x, (1, 1, 1, 1)),
    "pad_reflect": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "pow": lambda x: x**2,
    "prelu": nn.PReLU(CHANNELS),
    "relu": F.relu,
    "roll": lambda x: x.roll(2, 3) * 2,
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 1),
    "sdpa": lambda x: F.scaled_dot_product_attention(x, x, x),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "slice": lambda x: x[:, :, 1:5] * 2,
    "softmax": lambda x: x.softmax(3),
    "softplus": F.softplus,
    "sqrt": lambda x: torch.sqrt(x.abs()),
    "sub": lambda x: x - x.relu(),
    "svd": torch.linalg.svdvals,
    "tanh": torch.tanh,
    "topk": lambda x: x.topk(2).values,
    "where": lambda x: torch.where(x > 0, x, -x),
}


class OneOperation(nn.Module):
    """A convolution of a picture, and the operation on [1, CHANNELS, SIDE, SIDE]."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.operation = operation

    def forward(self, lr: Tensor) -> Tensor:
        return self.operation(self.convolution(lr))


def program_of(operation: Operation) -> ExportedProgram:
    """The exported program, for one tile."""
    return torch.export.export(OneOperation(operation).eval().requires_grad_(False), (torch.rand(1, 3, SIDE, SIDE),))
