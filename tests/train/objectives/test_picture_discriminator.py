"""The discriminator of pictures, and its two moves."""

import numpy as np
import torch

from train.diffusion.pixels import LUMA
from train.engine.task import Trainable
from train.networks.patch_discriminator import PatchDiscriminator
from train.objectives.picture_discriminator import PictureDiscriminator

torch.manual_seed(0)
DISCRIMINATOR = PictureDiscriminator(Trainable(PatchDiscriminator()))
REAL, FAKE = torch.rand(2, 2, 3, 40, 36, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_logit_is_of_26_pixels() -> None:
    network = PatchDiscriminator()
    assert network(torch.zeros(1, 3, 26, 26)).shape == (1, 1, 1, 1)
    picture = torch.zeros(1, 3, 80, 80, requires_grad=True)
    logits = network(picture)
    logits[0, 0, 5, 5].backward()
    assert picture.grad is not None
    rows = picture.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 26


def test_colour_alone_changes_nothing() -> None:
    colour = torch.tensor([1.0, -LUMA[0] / LUMA[1], 0.0])[:, None, None]
    network = PatchDiscriminator().eval()
    torch.testing.assert_close(network(REAL + 0.2 * colour), network(REAL), atol=1e-5, rtol=1e-5)


def test_its_own_move_is_the_hinge_loss_and_leaves_the_picture_alone() -> None:
    fake = FAKE.clone().requires_grad_()
    network = DISCRIMINATOR.trainable.network.eval()
    move = DISCRIMINATOR.discriminator_step(REAL, fake)
    with torch.no_grad():
        real_logits, fake_logits = (network(picture).numpy() for picture in (REAL, FAKE))
    expected = np.maximum(0, 1 - real_logits).mean() + np.maximum(0, 1 + fake_logits).mean()
    np.testing.assert_allclose(move.terms["patches"].item(), expected, rtol=1e-5)
    assert move.trainable == "patch_discriminator"
    move.terms["patches"].backward()
    assert fake.grad is None
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_its_judgement_moves_the_picture_and_not_itself() -> None:
    fake = FAKE.clone().requires_grad_()
    network = DISCRIMINATOR.trainable.network.eval()
    network.zero_grad()
    judged = DISCRIMINATOR.generator_loss(fake)
    np.testing.assert_allclose(judged.item(), -network(FAKE).mean().item(), rtol=1e-5)
    judged.backward()
    assert fake.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())
