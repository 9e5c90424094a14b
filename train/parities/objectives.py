"""Losses: ResShift's training loss, SinSR's distillation with gradients, TAD-SR's score distillation."""

from collections.abc import Iterator

import numpy as np
import torch

from train import diffusion
from train.networks.swin_unet import SwinUNet
from train.objectives import hsd, sinsr
from train.parities.diffusion import bind
from train.parities.findings import FLOAT32, ONE_CALL, TRAJECTORY, Finding, compare
from train.parities.folder import GoldenFolder, Stored
from train.pixels import enlarge

STUDENT = {"student_seed": 1600, "student_spread": 0.05}
"""SinSR's student is the teacher times 1 + spread x, x standard normal; ``meta.json["sinsr_distill"]`` may say otherwise."""
GRADIENTS = {"grad_in_conv_weight": "input_blocks.0.0.weight", "grad_out_conv_weight": "out.2.weight"}
"""Stored gradients and their parameters."""


def check_training_loss(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """From pictures to the mean squared error per sample."""
    s, autoencoder, t = folder.diffusion(name), folder.autoencoder(), stored["t"].long()
    with torch.no_grad():
        z_0 = autoencoder.encode(stored["gt"])
        z_y = autoencoder.encode(enlarge(stored["lq"], folder.scale(name)))
        z_t = diffusion.forward_process(s, z_0, z_y, t, stored["noise"])
        scaled = diffusion.scale_input(s, z_t, t)
        predicted = bind(folder.unet(), s, stored["lq"])(scaled, t)
    yield compare("z_t", z_t, stored["z_t"], ONE_CALL)
    yield compare("scaled_z_t", scaled, stored["scaled_z_t"], ONE_CALL)
    yield compare("pred_z0", predicted, stored["pred_z0"], ONE_CALL)
    yield compare("mse", (predicted - z_0).square().flatten(1).mean(1), stored["mse"], ONE_CALL)


def check_sinsr(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """SinSR's three terms for a disturbed copy of the teacher, and two gradients of their sum."""
    name = name or folder.distilled_diffusion()
    s, autoencoder, teacher = folder.diffusion(name), folder.autoencoder(), folder.unet()
    student = _student(folder)
    with torch.no_grad():
        z_0 = autoencoder.encode(stored["gt"])
        z_y = autoencoder.encode(enlarge(stored["lq"], folder.scale(name)))
        steps = diffusion.deterministic_trajectory(s, bind(teacher, s, stored["lq"]), z_y, stored["noise"])
        z_0_teacher = diffusion.last_sample(steps)
        z_T = diffusion.prior_sample(s, z_y, stored["noise"])
    yield compare("z_T", z_T, stored["z_T"], ONE_CALL)
    terms = sinsr.sinsr_terms(bind(student, s, stored["lq"]), s, z_T, z_0_teacher, z_0)
    yield compare("pred_z0", terms.z_0, stored["pred_z0"], ONE_CALL)
    for term in ("mse", "mse_xT", "mse_gt"):
        yield compare(term, getattr(terms, term), stored[term], TRAJECTORY)
    loss = terms.mse + terms.mse_xT + terms.mse_gt
    yield compare("loss", loss, stored["loss"], TRAJECTORY)
    loss.mean().backward()
    for key, parameter in GRADIENTS.items():
        gradient = student.get_parameter(parameter).grad
        assert gradient is not None
        yield compare(key, gradient, stored[key], TRAJECTORY)


def check_hsd(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Eq. 7 and 8, and the same as a difference of predicted noises."""
    s, t = folder.diffusion(name), stored["t"].long()
    z_0_student, z_0_teacher, z_y = stored["z0_stu"], stored["z0_tch"], stored["z_y"]
    denoiser = bind(folder.unet(), s, stored["lq"])
    ours = hsd.score_distillation(denoiser, s, z_0_student, z_0_teacher, z_y, t, stored["noise"])
    weight = hsd.weight(s, t, z_y)
    yield compare("z_t_stu", ours.z_t_student, stored["z_t_stu"], FLOAT32)
    yield compare("z_t_tch", ours.z_t_teacher, stored["z_t_tch"], FLOAT32)
    yield compare("F_stu", ours.F_student, stored["F_stu"], ONE_CALL)
    yield compare("F_tch", ours.F_teacher, stored["F_tch"], ONE_CALL)
    yield compare("bracket", ours.bracket, stored["bracket"], 2 * ONE_CALL)
    yield compare("weight_kappa_sqrt_eta", weight, stored["weight_kappa_sqrt_eta"], FLOAT32)
    # Noise in F is multiplied by the weight, which is large at small t'.
    amplified = ONE_CALL * max(1.0, float(weight.max()))
    for key, F, z_t in (("eps_stu", ours.F_student, ours.z_t_student), ("eps_tch", ours.F_teacher, ours.z_t_teacher)):
        yield compare(key, diffusion.predicted_noise(s, F, z_t, z_y, t), stored[key], amplified)
    per_sample = z_y[0].numel()
    yield compare("grad_per_element", ours.gradient * per_sample, stored["grad_per_element"] * per_sample, 2 * amplified)


def _student(folder: GoldenFolder) -> SwinUNet:
    recipe = {**STUDENT, **folder.meta.get("sinsr_distill", {})}
    teacher = folder.unet()
    student = folder.build("unet")
    assert isinstance(student, SwinUNet)
    stream = np.random.RandomState(recipe["student_seed"])  # noqa: NPY002 - the recipe names this generator
    weights = {}
    for key, value in sorted(teacher.named_parameters()):
        factor = 1 + recipe["student_spread"] * stream.standard_normal(value.numel()).reshape(value.shape)
        weights[key] = value * torch.from_numpy(factor.astype(np.float32))
    student.load_state_dict(weights, strict=False)
    return student
