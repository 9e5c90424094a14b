"""Schedules and samplers."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from train import diffusion
from train.diffusion import Denoiser, Schedule
from train.networks.swin_unet import SwinUNet
from train.parities.findings import FLOAT32, FLOAT64, ONE_CALL, TRAJECTORY, Finding, compare
from train.parities.folder import GoldenFolder, Stored
from train.parities.networks import codewords
from train.pixels import enlarge

RENAMED = {"forward_noise_std": "noise_std"}
"""Stored arrays whose name is not that of the schedule's property."""


def bind(network: SwinUNet, s: Schedule, lq: Tensor) -> Denoiser:
    """The network as a function of (z_t, index into the schedule) alone."""
    told = torch.tensor(s.indices)
    return lambda z_t, t: network(z_t, told[t], lq)


def check_schedule(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Every array, in float64; the worst of all."""
    s = folder.diffusion(name)
    clipped = s.posterior_variance_clipped
    derived = {
        "posterior_log_variance_clipped": np.log(clipped),
        "weight_loss_mse": 0.5 * s.posterior_mean_coef2**2 / clipped,
    }
    for array in stored:
        if array in derived or hasattr(s, RENAMED.get(array, array)):
            ours = derived[array] if array in derived else getattr(s, RENAMED.get(array, array))
            yield compare(array, ours, stored[array], FLOAT64)


def check_stochastic(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """ResShift's sampler from LQ pixels to decoded pixels; the decoder works on the stored last sample."""
    s = folder.diffusion(name)
    autoencoder = folder.autoencoder()
    with torch.no_grad():
        z_y = autoencoder.encode(enlarge(stored["lq"], folder.scale(name)))
        yield compare("z_y", z_y, stored["z_y"], ONE_CALL)
        z_T = diffusion.prior_sample(s, z_y, stored["noise"][0])
        yield compare("z_T", z_T, stored["z_T"], ONE_CALL)
        denoiser = bind(folder.unet(), s, stored["lq"])
        steps = list(diffusion.stochastic_trajectory(s, denoiser, z_y, stored["noise"]))
        yield compare("pred_xstart", torch.stack([step.z_0 for step in steps]), stored["pred_xstart"], TRAJECTORY)
        before = [z_T, *(step.sample for step in steps[:-1])]
        means = [
            diffusion.posterior_mean(s, step.z_0, z_t, torch.full((len(z_t),), step.t))
            for step, z_t in zip(steps, before, strict=True)
        ]
        yield compare("means", torch.stack(means), stored["means"], TRAJECTORY)
        yield compare("samples", torch.stack([step.sample for step in steps]), stored["samples"], TRAJECTORY)
        last = stored["samples"][-1]
        yield codewords("final_indices", autoencoder, last, stored["final_indices"])
        yield compare("decoded", autoencoder.decode(last), stored["decoded"], ONE_CALL)
        yield compare("decoded_no_quant", autoencoder.decode(last, quantise=False), stored["decoded_no_quant"], ONE_CALL)


def check_deterministic(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """SinSR's sampler and its coefficients, and the one-step student's sampler."""
    s = folder.diffusion(name)
    for coefficient in ("k", "m", "j"):
        yield compare(coefficient, getattr(s, f"det_{coefficient}"), stored[coefficient], FLOAT32)
    with torch.no_grad():
        z_y = folder.autoencoder().encode(enlarge(stored["lq"], folder.scale(name)))
        yield compare("z_y", z_y, stored["z_y"], ONE_CALL)
        yield compare("z_T", diffusion.prior_sample(s, z_y, stored["noise"]), stored["z_T"], ONE_CALL)
        denoiser = bind(folder.unet(), s, stored["lq"])
        steps = list(diffusion.deterministic_trajectory(s, denoiser, z_y, stored["noise"]))
        yield compare("pred_xstart", torch.stack([step.z_0 for step in steps]), stored["pred_xstart"], TRAJECTORY)
        yield compare("samples", torch.stack([step.sample for step in steps]), stored["samples"], TRAJECTORY)
        one_step = diffusion.one_step(s, denoiser, z_y, stored["noise"])
        yield compare("one_step_z0", one_step, stored["one_step_z0"], ONE_CALL)
