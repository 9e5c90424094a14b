"""The Swin stage of ResShift's UNet: window attention as the released weights were trained with it.

Parameter and buffer names are the official ones. Nothing here makes a tensor of more than five dimensions, which
Core ML does not take.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.networks.norm import GroupNorm

EPS = 1e-5
MASKED = -100.0
"""What is added to the logit of two tokens that may not attend to each other."""


def relative_position_index(window: int) -> Tensor:
    """Row (dy + window - 1) (2 window - 1) + dx + window - 1 of the bias table per pair of tokens: int64 [N, N]."""
    position = torch.arange(window * window)
    y, x = position // window, position % window
    dy, dx = (axis[:, None] - axis[None, :] + window - 1 for axis in (y, x))
    return dy * (2 * window - 1) + dx


def last_row_mask(window: int, shift: int) -> Tensor:
    """The mask [N, N] of every window in the last row of windows; N = window^2, token i lies in column i % window.

    Two tokens attend to each other only on the same side of the vertical split ``column >= window - shift``. All other
    windows are not masked. This is not the textbook mask of Swin, but it is what ResShift's code computes (its issue
    81) and what every released checkpoint was trained with.
    """
    side = torch.arange(window * window) % window >= window - shift
    return (side[:, None] != side[None, :]).float() * MASKED


def shifted_window_mask(height: int, width: int, window: int, shift: int) -> Tensor:
    """``last_row_mask`` for all windows of a height x width map, in reading order: [windows, N, N]."""
    rows, columns = height // window, width // window
    mask = last_row_mask(window, shift)
    free = torch.zeros_like(mask).expand((rows - 1) * columns, -1, -1)
    return torch.cat([free, mask.expand(columns, -1, -1)])


def to_windows(x: Tensor, window: int) -> Tensor:
    """[B, C, H, W] -> [windows, window^2, C]; windows ordered by row of windows, then batch, then column."""
    b, c, h, w = x.shape
    rows, columns = h // window, w // window
    x = x.permute(0, 2, 3, 1).reshape(b, rows, window, w * c).transpose(0, 1)
    x = x.reshape(rows * b, window, columns, window * c).transpose(1, 2)
    return x.reshape(rows * b * columns, window * window, c)


def from_windows(windows: Tensor, window: int, size: tuple[int, int]) -> Tensor:
    """The inverse of ``to_windows`` for a map of ``size`` (H, W)."""
    c = windows.shape[-1]
    rows, columns = size[0] // window, size[1] // window
    b = windows.shape[0] // (rows * columns)
    x = windows.reshape(rows * b, columns, window, window * c).transpose(1, 2)
    x = x.reshape(rows, b, window, size[1] * c).transpose(0, 1)
    return x.reshape(b, size[0], size[1], c).permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a learned bias per relative position."""

    relative_position_index: Tensor

    def __init__(self, channels: int, window: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        for weight in (self.relative_position_bias_table, self.qkv.weight, self.proj.weight):
            nn.init.trunc_normal_(weight, std=0.02)
        for linear in (self.qkv, self.proj):
            nn.init.zeros_(linear.bias)

    def forward(self, windows: Tensor, mask: Tensor | None = None, masked: int = 0) -> Tensor:
        """Windows [n, N, C], attended to; ``mask`` [N, N] is added to the logits of the last ``masked`` windows."""
        bias = self.bias()
        return self.attend(windows, bias, None if mask is None else bias + mask, masked)

    def bias(self) -> Tensor:
        """The learned bias of every pair of tokens [1, heads, N, N]."""
        return self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]

    def attend(self, windows: Tensor, bias: Tensor, masked_bias: Tensor | None, masked: int) -> Tensor:
        """Attention with ``bias`` added to the logits, and ``masked_bias`` to those of the last ``masked`` windows."""
        n, tokens, _ = windows.shape
        q, k, v = self.qkv(windows).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()

        def part(first: int, last: int, bias: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(
                q[first:last], k[first:last], v[first:last], attn_mask=bias.to(q.dtype)
            )

        # The masked windows all have one mask, so two calls with a broadcast bias do without a bias per window.
        free = n - masked
        parts = [part(0, free, bias)] if free else []
        if masked_bias is not None:
            parts.append(part(free, n, masked_bias))
        return self.proj(torch.cat(parts).transpose(1, 2).reshape(n, tokens, -1))


class SwinBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); the odd blocks of a stage shift their windows."""

    attn_mask: Tensor
    mask: Tensor

    def __init__(self, channels: int, heads: int, window: int, shift: int, mlp_ratio: float, side: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        hidden = int(channels * mlp_ratio)
        self.norm1 = GroupNorm(channels, EPS)
        self.attn = WindowAttention(channels, window, heads)
        self.norm2 = GroupNorm(channels, EPS)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Conv2d(channels, hidden, 1), act=nn.GELU(), fc2=nn.Conv2d(hidden, channels, 1))
        )
        if shift:
            # Official checkpoints store the first; it is for one size of map only and is not read. The second is.
            self.register_buffer("attn_mask", shifted_window_mask(side, side, window, shift))
            self.register_buffer("mask", last_row_mask(window, shift), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same; H and W are multiples of the window."""
        x = x + self._attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _attend(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        if not self.shift:
            return from_windows(self.attn(to_windows(x, self.window)), self.window, (h, w))
        windows = to_windows(torch.roll(x, (-self.shift, -self.shift), (2, 3)), self.window)
        x = from_windows(self.attn(windows, self.mask, b * (w // self.window)), self.window, (h, w))
        return torch.roll(x, (self.shift, self.shift), (2, 3))


class SwinStage(nn.Module):
    """1x1 convolution to ``embed`` channels, ``depth`` blocks, 1x1 convolution back; no residual around it.

    ``side`` is the side of the map at the network's own size. Where it is not larger than the window, no block ever
    shifts, on larger maps neither.
    """

    def __init__(
        self, channels: int, embed: int, heads: int, depth: int, window: int, mlp_ratio: float, side: int
    ) -> None:
        super().__init__()
        shift = 0 if side <= window else window // 2
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(channels, embed, 1)))
        self.patch_unembed = nn.Sequential(OrderedDict(proj=nn.Conv2d(embed, channels, 1)))
        self.blocks = nn.Sequential(
            *(SwinBlock(embed, heads, min(window, side), shift * (i % 2), mlp_ratio, side) for i in range(depth))
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same."""
        return self.patch_unembed(self.blocks(self.patch_embed(x)))
