"""TAD-SR's objective, equation by equation, and who learns from which term."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.tiny import write_networks, write_preset
from train.diffusion.pixels import to_model
from train.diffusion.schedule import at
from train.distill import DistillSettings, DistillTask
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.settings import parse
from train.engine.state import State
from train.engine.task import OptimiserStep
from train.networks.discriminator import Discriminator, DiscriminatorConfig, Modulation
from train.objectives.adversarial import discriminator_loss, generator_loss
from train.objectives.config import largest_hsd_time

HEADS = DiscriminatorConfig(width=32, time_features=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distill")
    write_preset(folder / "tiny.yaml")
    write_networks(folder)
    return folder


def task(folder: Path, *options: str) -> DistillTask:
    paths = {"preset": "tiny.yaml", "autoencoder": "autoencoder.safetensors", "teacher": "teacher.safetensors"}
    arguments = [text for key, name in paths.items() for text in (f"--{key}", str(folder / name))]
    argv = ["--photos", "p", "--out", "o", *arguments, *options]
    return DistillTask(parse(DistillSettings, "train.distill", "", argv))


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"hq": torch.rand(2, 3, 32, 32, generator=generator), "lq": torch.rand(2, 3, 8, 8, generator=generator)}


def optimiser_steps(made: DistillTask) -> Iterator[OptimiserStep]:
    return made.optimiser_steps(batch(), Noise(seed=2, step=0))


def gradients(network: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def test_eq_9_discriminator_sees_both_latents_at_the_same_time_with_the_same_noise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enc(z_t, t, y) of z_t = z_0 + eta_t (z_y - z_0) + kappa sqrt(eta_t) eps, for the student's z_0 and for HQ's."""
    made = task(folder, "--score", "none", "--precision", "32-true")
    seen: list[tuple[Tensor, Tensor]] = []
    encode = made.teacher.features

    def watch(z_t: Tensor, t: Tensor, *given: Tensor) -> list[Tensor]:
        seen.append((z_t * at(made.schedule.input_std, t, z_t), t))
        return encode(z_t, t, *given)

    monkeypatch.setattr(made.teacher, "features", watch)
    student = list(optimiser_steps(made))[-1].outputs["adversarial"].detach()
    (real, t), (fake, fake_t), (again, again_t) = seen
    assert torch.equal(t, fake_t)
    assert torch.equal(t, again_t)
    torch.testing.assert_close(fake, again)
    hq = made.autoencoder.encode(to_model(batch()["hq"]))
    eta = at(made.schedule.etas, t, hq)
    torch.testing.assert_close(real - fake, (1 - eta) * (hq - student), rtol=1e-4, atol=1e-4)


def test_eq_10_modulation_is_one_plus_gamma_times_the_norm_plus_beta() -> None:
    modulate, x, time = Modulation(8, 4), torch.randn(2, 8, 5, 5), torch.randn(2, 4)
    torch.testing.assert_close(modulate(x, time), modulate.norm(x), msg="it starts unmodulated")
    assert modulate.affine is not None
    nn.init.normal_(modulate.affine.weight)
    gamma, beta = (part[:, :, None, None] for part in modulate.affine(time).split(8, dim=1))
    torch.testing.assert_close(modulate(x, time), (1 + gamma) * modulate.norm(x) + beta)


def test_eq_11_student_maximises_the_mean_logit() -> None:
    fake = [torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)]
    np.testing.assert_allclose(generator_loss(fake).item(), -np.mean([f.mean() for f in fake]), rtol=1e-6)
    np.testing.assert_allclose(generator_loss(fake, "sum").item(), 2 * generator_loss(fake).item(), rtol=1e-6)


def test_eq_12_discriminator_loss_is_the_hinge() -> None:
    real, fake = [torch.tensor([[2.0, 0.5]])], [torch.tensor([[-3.0, 0.25]])]
    assert discriminator_loss(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1.25) / 2)


def test_algorithm_1_draws_t_prime_below_a_fifth_of_the_steps() -> None:
    assert [largest_hsd_time(steps, None) for steps in (15, 4, 1000)] == [2, 0, 199]
    assert largest_hsd_time(4, 2) == 2


def test_only_the_time_aware_discriminator_is_told_the_time() -> None:
    features = [torch.randn(1, 8, 8, 8), torch.randn(1, 12, 4, 4)]
    for time_aware in (True, False):
        torch.manual_seed(0)
        network = Discriminator((8, 12), HEADS, time_aware).eval()
        for modulation in network.modulations:
            if modulation.affine is not None:
                nn.init.normal_(modulation.affine.weight)
        early, late = (torch.cat([m.flatten() for m in network(features, torch.tensor([t]))]) for t in (0, 14))
        assert torch.equal(early, late) != time_aware


def test_each_round_teaches_its_own_player_only(folder: Path) -> None:
    made = task(folder)
    student, discriminator = (made.trainables[name].network for name in ("student", "discriminator"))
    turns = optimiser_steps(made)
    first = next(turns)
    assert first.trainable == "discriminator"
    first.terms["discriminator"].backward()
    assert gradients(discriminator)
    assert not gradients(student)
    discriminator.zero_grad()
    second = next(turns)
    assert second.trainable == "student"
    assert second.terms.keys() == {"distill", "score", "adversarial"}
    sum(second.terms.values()).backward()  # type: ignore[union-attr]
    assert any(gradient.abs().max() > 0 for gradient in gradients(student))
    assert not gradients(discriminator)
    assert not gradients(made.teacher)
    assert not gradients(made.autoencoder)
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    assert next(turns, None) is None


def test_adversarial_gradient_reaches_the_student_through_the_frozen_encoder(folder: Path) -> None:
    made = task(folder, "--score", "none")
    *_, turn = optimiser_steps(made)
    turn.terms["adversarial"].backward()
    assert any(gradient.abs().max() > 0 for gradient in gradients(made.trainables["student"].network))


@pytest.mark.parametrize(
    ("options", "trainables", "terms"),
    [
        (["--discriminator", "none"], {"student"}, {"distill", "score"}),
        (["--discriminator", "none", "--score", "sds"], {"student"}, {"distill", "score"}),
        (["--discriminator", "plain", "--score", "none"], {"student", "discriminator"}, {"distill", "adversarial"}),
        (["--discriminator", "none", "--score", "none"], {"student"}, {"distill"}),
        (["--objective", "sinsr"], {"student"}, {"distill", "inverse", "consistency"}),
        (
            ["--paper.z_T", "forward", "--paper.discriminator_noise", "shared"],
            None,
            {"distill", "score", "adversarial"},
        ),
    ],
)
def test_every_arm_of_the_ablation_has_its_terms(
    folder: Path, options: list[str], trainables: set[str] | None, terms: set[str]
) -> None:
    made = task(folder, *options)
    *_, turn = optimiser_steps(made)
    assert trainables is None or made.trainables.keys() == trainables
    assert turn.terms.keys() == terms
    assert all(torch.isfinite(term) for term in turn.terms.values())


def test_how_strongly_every_term_pulls_is_measured(folder: Path) -> None:
    made = task(folder, "--precision", "32-true", "--batch", "2")
    measures = State(made, made.settings).step(0, batch())
    assert {"distill_gradient_norm", "score_gradient_norm", "adversarial_gradient_norm"} <= measures.keys()

    again = task(folder, "--precision", "32-true", "--batch", "2")
    *_, student = again.optimiser_steps(batch(), Noise(seed=again.settings.seed, step=0))
    (z_0,) = torch.autograd.grad(student.terms["distill"], student.outputs["distill"])
    by_hand = (len(z_0) * z_0).flatten(1).norm(dim=1).mean()  # the loss is a mean over samples
    torch.testing.assert_close(measures["distill_gradient_norm"], by_hand)


def test_eq_13_lambdas_weigh_the_terms(folder: Path) -> None:
    values = []
    for factor in ("1", "3"):
        *_, turn = optimiser_steps(task(folder, "--lambda_1", factor, "--lambda_2", factor))
        values.append(turn.terms)
    for term in ("score", "adversarial"):
        torch.testing.assert_close(3 * values[0][term], values[1][term])


def test_student_starts_as_the_teachers_copy_where_it_can(folder: Path) -> None:
    same = task(folder, "--model.student.widths", "8", "12")
    copied, teacher = same.trainables["student"].network.state_dict(), same.teacher.state_dict()
    assert all(torch.equal(copied[name], teacher[name]) for name in teacher)


def test_student_starts_from_given_weights(folder: Path) -> None:
    made = task(folder, "--init", str(folder / "student.safetensors"))
    other = task(folder)
    first, second = (m.trainables["student"].network.conv_out.weight for m in (made, other))
    assert isinstance(first, Tensor)
    assert first.abs().max() > 0
    assert second.abs().max() == 0  # type: ignore[union-attr,operator]
    with pytest.raises(TrainError, match="other sizes"):
        task(folder, "--init", str(folder / "teacher.safetensors"))
