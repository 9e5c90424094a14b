"""How far a network sees, measured on the network itself: tiling is exact beyond R, and invisible beyond r."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.folding.deployed import Deployed

QUARTER_LEVEL = 0.25 / 255


def receptive_radius(network: Deployed, align: int, scale: int, side: int = 160) -> int:
    """R: beyond so many LR pixels, rounded up to the alignment, no input changes an output.

    By gradients in float64, with every weight replaced by its magnitude and every activation let through, so that no
    path cancels or dies; on a row and on a column of pixels as wide as the alignment, for the network looks along
    each axis as far on a narrow picture as on any other. They are at least ``side`` long, and longer where R needs it.
    """
    positive = _all_paths_open(network).double()
    while True:
        reached = max(_reach(positive, align, scale, (align, side)), _reach(positive, align, scale, (side, align)))
        if reached < side // 2 - align:
            return -(-reached // align) * align
        side *= 2


@torch.enable_grad()  # whatever the caller has set: this is measured by gradients
def _reach(positive: Deployed, align: int, scale: int, size: tuple[int, int]) -> int:
    """The farthest input along the longer axis of a picture of ``size`` that changes an output in its middle."""
    lr = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    sr = positive.unclamped(lr)
    axis = 2 if size[0] > size[1] else 3
    centre = lr.shape[axis] // 2 // align * align
    reached = 0
    for place in range(centre, centre + align):  # the stride makes neighbouring outputs see differently far
        answer = sr.narrow(axis, place * scale, scale).sum()
        (gradient,) = torch.autograd.grad(answer, lr, retain_graph=True)
        seen = torch.nonzero(gradient.abs().sum((0, 1, 5 - axis))).flatten()
        reached = max(reached, place - int(seen.min()), int(seen.max()) - place)
    return reached


@torch.no_grad()
def effective_radius(network: nn.Module, photos: list[Tensor], align: int, scale: int, largest: int) -> int:
    """r <= ``largest``: the smallest margin, a multiple of the alignment, at which a cut through a photo is invisible.

    Every photo [1, 3, h, w] is cut at an aligned column and an aligned row near its middle; the network's answer for
    a part, r and more LR pixels away from the cut, equals its answer for the whole to 1/4 level of 255.
    """
    change = np.zeros(largest + align)
    for photo in photos:
        for view in (photo, photo.transpose(2, 3).contiguous()):
            cut = view.shape[3] // 2 // align * align
            whole = network(view)
            left = _by_distance(network(view[..., :cut].contiguous()) - whole[..., : cut * scale], scale)[::-1]
            right = _by_distance(network(view[..., cut:].contiguous()) - whole[..., cut * scale :], scale)
            for differs in (left[: len(change)], right[: len(change)]):
                change[: len(differs)] = np.maximum(change[: len(differs)], differs)
    visible = np.nonzero(change > QUARTER_LEVEL)[0]
    needed = int(visible.max()) + 1 if len(visible) else 0
    return min(largest, -(-needed // align) * align)


def _by_distance(difference: Tensor, scale: int) -> NDArray[np.float64]:
    """Largest difference per LR column, [w]."""
    columns = difference.abs().amax((0, 1, 2)).view(-1, scale).amax(1)
    return columns.numpy().astype(np.float64)


def _all_paths_open(network: Deployed) -> Deployed:
    """A copy whose weights are their magnitudes plus a little, and whose colours have no limit: all signals pass."""
    positive = copy.deepcopy(network)
    positive.colour.without_limit()
    for parameter in positive.parameters():
        parameter.data = parameter.data.abs() / parameter.data.abs().amax().clamp_min(1e-12) + 1e-3
        parameter.requires_grad_(False)
    return positive
