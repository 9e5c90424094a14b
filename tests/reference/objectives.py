"""Losses: ResShift's training loss, SinSR's distillation with gradients, TAD-SR's score distillation."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tests.reference.diffusion import bind
from tests.reference.findings import FLOAT32, ONE_CALL, Finding, Perturb, compare, compare_all, with_sensitivity
from tests.reference.folder import GoldenFolder, Stored
from train.diffusion import process
from train.diffusion.pixels import enlarge
from train.networks.swin_unet import SwinUNet
from train.objectives import hsd, sinsr

STUDENT = {"student_seed": 1600, "student_spread": 0.05}
"""SinSR's student is the teacher times 1 + spread x, x standard normal; ``meta.json["sinsr_distill"]`` may differ."""
GRADIENTS = {"grad_in_conv_weight": "input_blocks.0.0.weight", "grad_out_conv_weight": "out.2.weight"}
"""Stored gradients and their parameters."""
GRADIENT = 1e-2
"""Relative to a gradient's root mean square: float32 leaves a few thousandths open in the goldens."""


@torch.no_grad()
def check_training_loss(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """The forward process from pictures, the prediction from the stored z_t, and the squared error per sample."""
    s, autoencoder, t = folder.diffusion(name), folder.autoencoder(), stored["t"].long()
    z_0 = autoencoder.encode(stored["gt"])
    z_y = autoencoder.encode(enlarge(stored["lq"], folder.scale(name)))
    yield compare("z_t", process.forward_process(s, z_0, z_y, t, stored["noise"]), stored["z_t"], ONE_CALL)
    yield compare("scaled_z_t", process.scale_input(s, stored["z_t"], t), stored["scaled_z_t"], FLOAT32)

    def predict(perturb: Perturb) -> dict[str, Tensor]:
        predicted = bind(folder.unet(), s, stored["lq"], perturb)(stored["scaled_z_t"], t)
        return {"pred_z0": predicted, "mse": (predicted - z_0).square().flatten(1).mean(1)}

    yield from compare_all(with_sensitivity(predict), stored, ONE_CALL)


def check_sinsr(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """SinSR's three terms for a disturbed copy of the teacher, and two gradients of their sum."""
    name = name or folder.distilled_diffusion()
    s, autoencoder, lq = folder.diffusion(name), folder.autoencoder(), stored["lq"]
    student = _student(folder)
    with torch.no_grad():
        z_0 = autoencoder.encode(stored["gt"])
        z_y = autoencoder.encode(enlarge(lq, folder.scale(name)))
    yield compare("z_T", process.prior_sample(s, z_y, stored["noise"]), stored["z_T"], ONE_CALL)

    def distill(perturb: Perturb) -> dict[str, Tensor]:
        with torch.no_grad():
            denoiser = bind(folder.unet(), s, lq, perturb)
            z_0_teacher = process.last_sample(process.deterministic_trajectory(s, denoiser, z_y, stored["noise"]))
        z_T = process.prior_sample(s, z_y, stored["noise"])
        terms = sinsr.sinsr_terms(bind(student, s, lq, perturb), s, z_T, z_0_teacher, z_0)
        losses = {"mse": terms.distillation, "mse_xT": terms.inverse, "mse_gt": terms.consistency}
        return {"pred_z0": terms.z_0, **losses, "loss": sum(losses.values(), torch.zeros(()))}

    def differentiate(perturb: Perturb) -> dict[str, Tensor]:
        parameters = [student.get_parameter(name) for name in GRADIENTS.values()]
        return dict(zip(GRADIENTS, torch.autograd.grad(distill(perturb)["loss"].mean(), parameters), strict=True))

    yield from compare_all(with_sensitivity(distill), stored, ONE_CALL)
    if GRADIENTS.keys() <= stored.keys():
        yield from compare_all(with_sensitivity(differentiate), stored, GRADIENT)


def check_hsd(folder: GoldenFolder, name: str, stored: Stored) -> Iterator[Finding]:
    """Eq. 7 and 8, and the same as a difference of predicted noises."""
    s, t, z_y = folder.diffusion(name), stored["t"].long(), stored["z_y"]

    def distill(perturb: Perturb) -> dict[str, Tensor]:
        teacher = bind(folder.unet(), s, stored["lq"], perturb)
        ours = hsd.score_distillation(teacher, s, stored["z0_stu"], stored["z0_tch"], z_y, t, stored["noise"])
        return {
            "z_t_stu": ours.z_t_student,
            "z_t_tch": ours.z_t_teacher,
            "F_stu": ours.F_student,
            "F_tch": ours.F_teacher,
            "bracket": ours.bracket,
            "eps_stu": process.predicted_noise(s, ours.F_student, ours.z_t_student, z_y, t),
            "eps_tch": process.predicted_noise(s, ours.F_teacher, ours.z_t_teacher, z_y, t),
            "grad_per_element": ours.gradient,
        }

    yield from compare_all(with_sensitivity(distill), stored, ONE_CALL)
    yield compare("weight_kappa_sqrt_eta", hsd.weight(s, t, z_y), stored["weight_kappa_sqrt_eta"], FLOAT32)


def _student(folder: GoldenFolder) -> SwinUNet:
    recipe = {**STUDENT, **folder.meta.get("sinsr_distill", {})}
    teacher = folder.unet()
    student = folder.build("unet")
    assert isinstance(student, SwinUNet)
    stream = np.random.RandomState(recipe["student_seed"])
    weights = {}
    for key, value in sorted(teacher.named_parameters()):
        factor = 1 + recipe["student_spread"] * stream.standard_normal(value.numel()).reshape(value.shape)
        weights[key] = value * torch.from_numpy(factor.astype(np.float32))
    student.load_state_dict(weights, strict=False)
    return student
