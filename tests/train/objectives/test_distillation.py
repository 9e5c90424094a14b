"""The distillation objectives against their equations in float64, term by term."""

import pytest
import torch
from torch import Tensor

from train.diffusion import process
from train.diffusion.schedule import ScheduleConfig, make_schedule
from train.objectives import hsd, sinsr

S15 = make_schedule(ScheduleConfig())
T = torch.tensor([0, 1, 2])


def latents(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 4, 6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(z: Tensor, t: Tensor) -> Tensor:
    """Something that depends on both of its arguments."""
    return torch.tanh(1.3 * z) + 0.1 * (t.view(-1, 1, 1, 1) + 1) * z.flip(3)


@pytest.mark.parametrize(
    ("weighting", "factor"), [("kappa_sqrt_eta", 1.0), ("sqrt_eta_kappa", 2**0.5), ("sqrt_eta", 2.0)]
)
def test_eq_8_weight(weighting: hsd.Weighting, factor: float) -> None:
    weight = hsd.weight(S15, T, latents(1)[0], weighting).flatten()
    published = torch.tensor([24.99, 4.21, 2.75], dtype=torch.float64)
    torch.testing.assert_close(weight, factor * published, rtol=2e-3, atol=0)


def test_eq_7_and_8_gradient_equals_the_formula() -> None:
    student, teacher, z_y, noise = latents(4)
    result = hsd.score_distillation(network, S15, student, teacher, z_y, T, noise)
    for i, t in enumerate(T.tolist()):
        eta, std = S15.etas[t], 2 * S15.etas[t] ** 0.5
        predictions = []
        for z_0 in (student[i], teacher[i]):
            z_t = z_0 + eta * (z_y[i] - z_0) + std * noise[i]
            predictions.append(network((z_t / (4 * eta + 1) ** 0.5)[None], torch.tensor([t]))[0])
        bracket = student[i] - teacher[i] + predictions[1] - predictions[0]
        torch.testing.assert_close(result.gradient[i], (1 - eta) / std * bracket / student[i].numel())


def test_eq_8_is_the_difference_of_the_predicted_noises() -> None:
    """What Eq. 7 and 8 are derived from: weight x bracket = eps(student) - eps(teacher)."""
    student, teacher, z_y, noise = latents(4, seed=1)
    result = hsd.score_distillation(network, S15, student, teacher, z_y, T, noise)
    eps_student = process.predicted_noise(S15, result.F_student, result.z_t_student, z_y, T)
    eps_teacher = process.predicted_noise(S15, result.F_teacher, result.z_t_teacher, z_y, T)
    torch.testing.assert_close(result.gradient * student[0].numel(), eps_student - eps_teacher)


def test_eq_7_reaches_the_student_alone_and_only_through_its_z_0() -> None:
    student, teacher, z_y, noise = latents(4)
    student.requires_grad_()
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    result = hsd.score_distillation(
        lambda z, t: network(z, t) * weights.view(-1, 1, 1, 1), S15, student, teacher, z_y, T, noise
    )
    assert not any(part.requires_grad for part in result)
    hsd.surrogate_loss(result.gradient, student).backward()
    assert student.grad is not None
    torch.testing.assert_close(student.grad, result.gradient / len(student))
    assert weights.grad is None


def test_eq_7_vanishes_where_student_and_teacher_agree() -> None:
    student, z_y, noise = latents(3)
    assert not hsd.score_distillation(network, S15, student, student, z_y, T, noise).gradient.any()


def test_sinsr_terms_equal_their_definitions() -> None:
    z_T, teacher, truth = latents(3)
    scale = (4 * S15.etas[-1] + 1) ** 0.5
    first, last = torch.zeros(3, dtype=torch.long), torch.full((3,), 14)
    terms = sinsr.sinsr_terms(network, S15, z_T, teacher, truth)
    z_0 = network(z_T / scale, last)
    inverted = network(truth / scale, first)
    expected = (teacher - z_0, z_T - network(teacher / scale, first), truth - network(inverted / scale, last))
    for term, difference in zip(terms[:3], expected, strict=True):
        torch.testing.assert_close(term, difference.square().mean((1, 2, 3)))
    assert torch.equal(terms.z_0, z_0)


def test_sinsr_inverts_the_ground_truth_without_gradient() -> None:
    z_T, teacher, truth = latents(3)
    calls: list[bool] = []

    def watched(z: Tensor, t: Tensor) -> Tensor:
        calls.append(torch.is_grad_enabled())
        return network(z, t)

    sinsr.sinsr_terms(watched, S15, z_T, teacher, truth)
    assert calls.count(False) == 1
    assert len(calls) == 4
