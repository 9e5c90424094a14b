"""Schedules and samplers."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tests.reference.findings import (
    DECODED,
    FLOAT32,
    FLOAT64,
    ONE_CALL,
    Finding,
    Perturb,
    compare,
    compare_all,
    with_sensitivity,
)
from tests.reference.folder import GoldenFolder, Stored
from tests.reference.networks import nearest
from train.diffusion import process
from train.diffusion.pixels import enlarge
from train.diffusion.process import Denoiser
from train.diffusion.schedule import Schedule
from train.networks.swin_unet import SwinUNet

RENAMED = {"forward_noise_std": "noise_std"}
"""Stored arrays whose name is not that of the schedule's property."""
IN_A_ROW = "samples, all steps in a row"


def bind(network: SwinUNet, s: Schedule, lq: Tensor, perturb: Perturb) -> Denoiser:
    """The network as a function of (z_t, index into the schedule) alone."""
    indices = torch.tensor(s.indices)
    return lambda z_t, t: network(perturb(z_t), indices[t], lq)


def check_schedule(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Every array of a noise schedule, in float64."""
    s = folder.diffusion(name)
    clipped = s.posterior_variance_clipped
    derived = {
        "posterior_log_variance_clipped": np.log(clipped),
        "weight_loss_mse": 0.5 * s.posterior_mean_coef2**2 / clipped,
    }
    for array in stored:
        ours = derived.get(array, getattr(s, RENAMED.get(array, array), None))
        if ours is not None:
            yield compare(array, ours, stored[array], FLOAT64)


@torch.no_grad()
def check_stochastic(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """ResShift's sampler: every step from the stored sample before it, all steps in a row, and the decoded end."""
    s, unet, autoencoder, lq = folder.diffusion(name), folder.unet(), folder.autoencoder(), stored["lq"]
    noise, samples = stored["noise"], stored["samples"]
    z_y = autoencoder.encode(enlarge(lq, folder.scale(name)))
    yield compare("z_y", z_y, stored["z_y"], ONE_CALL)
    yield compare("z_T", process.prior_sample(s, stored["z_y"], noise[0]), stored["z_T"], FLOAT32)

    t, z_t = _steps(s, stored)

    def each_step(perturb: Perturb) -> dict[str, Tensor]:
        z_0 = bind(unet, s, lq.repeat(s.steps, 1, 1, 1), perturb)(process.scale_input(s, z_t, t), t)
        mean = process.posterior_mean(s, z_0, z_t, t)
        sample = process.stochastic_step(s, z_0, z_t, t, noise[1:].flatten(0, 1))
        return {"pred_xstart": z_0.view_as(samples), "means": mean.view_as(samples), "samples": sample.view_as(samples)}

    def in_a_row(perturb: Perturb) -> dict[str, Tensor]:
        trajectory = process.stochastic_trajectory(s, bind(unet, s, lq, perturb), z_y, noise)
        return {IN_A_ROW: torch.stack([step.sample for step in trajectory])}

    yield from compare_all(with_sensitivity(each_step), stored, ONE_CALL)
    yield from compare_all(with_sensitivity(in_a_row), {IN_A_ROW: samples}, ONE_CALL)
    last = samples[-1]
    indices = stored["final_indices"].view(len(last), *last.shape[2:])
    yield nearest("final_indices", autoencoder, last, indices)
    snapped = autoencoder.quantize.codewords(indices)
    yield compare("decoded", autoencoder.decode(snapped), stored["decoded"], DECODED)
    yield compare("decoded_no_quant", autoencoder.decode(last, quantise=False), stored["decoded_no_quant"], DECODED)


@torch.no_grad()
def check_deterministic(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """SinSR's sampler step by step and in a row, its coefficients, and the one-step student's sampler."""
    s, unet, lq = folder.diffusion(name), folder.unet(), stored["lq"]
    noise, samples = stored["noise"], stored["samples"]
    for coefficient in ("k", "m", "j"):
        yield compare(coefficient, getattr(s, f"det_{coefficient}"), stored[coefficient], FLOAT32)
    z_y = folder.autoencoder().encode(enlarge(lq, folder.scale(name)))
    yield compare("z_y", z_y, stored["z_y"], ONE_CALL)
    yield compare("z_T", process.prior_sample(s, stored["z_y"], noise), stored["z_T"], FLOAT32)

    t, z_t = _steps(s, stored)
    z_y_each = stored["z_y"].repeat(s.steps, 1, 1, 1)

    def each_step(perturb: Perturb) -> dict[str, Tensor]:
        z_0 = bind(unet, s, lq.repeat(s.steps, 1, 1, 1), perturb)(process.scale_input(s, z_t, t), t)
        sample = process.deterministic_step(s, z_0, z_t, z_y_each, t)
        one_step = process.one_step(s, bind(unet, s, lq, perturb), stored["z_y"], noise)
        return {"pred_xstart": z_0.view_as(samples), "samples": sample.view_as(samples), "one_step_z0": one_step}

    def in_a_row(perturb: Perturb) -> dict[str, Tensor]:
        trajectory = process.deterministic_trajectory(s, bind(unet, s, lq, perturb), z_y, noise)
        return {IN_A_ROW: torch.stack([step.sample for step in trajectory])}

    yield from compare_all(with_sensitivity(each_step), stored, ONE_CALL)
    yield from compare_all(with_sensitivity(in_a_row), {IN_A_ROW: samples}, ONE_CALL)


def _steps(s: Schedule, stored: Stored) -> tuple[Tensor, Tensor]:
    """t [T N] and z_t [T N, C, h, w] of all stored steps, in sampling order."""
    z_t = torch.cat([stored["z_T"][None], stored["samples"][:-1]])
    t = torch.arange(s.steps - 1, -1, -1).repeat_interleave(z_t.shape[1])
    return t, z_t.flatten(0, 1)
