"""The folded graph computes what the unfolded networks compute, and sees exactly as far as it says."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.folding.deployed import Deployed, fold, fold_student
from compress.folding.programs import count_macs, export_free
from compress.folding.radius import QUARTER_LEVEL, effective_radius, receptive_radius
from tests.tiny import AUTOENCODER, LR_ENCODER, STUDENT
from train.diffusion import process
from train.diffusion.latents import Condition, bind
from train.diffusion.pixels import to_model, to_picture
from train.diffusion.schedule import ScheduleConfig, make_schedule
from train.finetuning.colour_correction import ColourCorrection
from train.networks.autoencoder import Autoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.unet import UNet

SCHEDULE = make_schedule(ScheduleConfig())


@pytest.fixture(scope="module")
def networks() -> tuple[Autoencoder, UNet, LREncoder]:
    torch.manual_seed(0)
    made = (Autoencoder(AUTOENCODER), UNet(STUDENT, 3), LREncoder(LR_ENCODER, 3))
    for network in made:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    made[0].standardise(torch.tensor([0.3, -1.0, 0.0]), torch.tensor([0.5, 2.0, 1.0]))
    return made


@pytest.fixture(scope="module")
def deployed(networks: tuple[Autoencoder, UNet, LREncoder]) -> Deployed:
    autoencoder, student, lr_encoder = networks
    return fold(autoencoder, student, lr_encoder, SCHEDULE, 4)


@torch.no_grad()
def test_folded_graph_equals_the_unfolded_pipeline(networks: tuple[Autoencoder, UNet, LREncoder]) -> None:
    autoencoder, student, lr_encoder = (copy.deepcopy(network).double() for network in networks)
    lr = torch.rand(2, 3, 12, 20, dtype=torch.float64)
    lq = to_model(lr)
    z_y = lr_encoder(lq)
    z_0 = process.one_step(SCHEDULE, bind(student, Condition(lq, z_y)), z_y, torch.zeros_like(z_y))
    expected = to_picture(ColourCorrection(4).double().of_model(lq, autoencoder.decode(z_0)))
    assert expected.std() > 0.05
    torch.testing.assert_close(fold(autoencoder, student, lr_encoder, SCHEDULE, 4)(lr), expected, atol=1e-12, rtol=0)


def test_folding_leaves_the_trained_networks_alone(networks: tuple[Autoencoder, UNet, LREncoder]) -> None:
    before = [parameter.clone() for network in networks for parameter in network.parameters()]
    fold(*networks, SCHEDULE, 4)
    assert all(torch.equal(a, b) for a, b in zip(before, (p for n in networks for p in n.parameters()), strict=True))


def test_folded_student_cannot_be_folded_again(deployed: Deployed) -> None:
    with pytest.raises(TypeError, match="folded already"):
        fold_student(deployed.student, SCHEDULE)


@torch.no_grad()
def test_program_runs_at_any_aligned_size_and_survives_the_disk(deployed: Deployed, tmp_path: Path) -> None:
    torch.export.save(export_free(deployed, deployed.student.stride), tmp_path / "student.pt2")
    module = torch.export.load(tmp_path / "student.pt2").module()
    for shape in ((1, 3, 8, 8), (3, 3, 24, 4), (1, 3, 64, 66)):
        lr = torch.rand(shape)
        torch.testing.assert_close(module(lr), deployed(lr))


@torch.no_grad()
def test_receptive_radius_equals_brute_force_perturbation(deployed: Deployed) -> None:
    align = deployed.student.stride
    radius = receptive_radius(deployed, align, 4, side=96)
    positive = fold_positive(deployed)
    lr = torch.ones(1, 3, 96, 96, dtype=torch.float64)
    base = positive.unclamped(lr)
    reached = 0
    for column in range(48, 48 + align):
        poked = lr.clone()
        poked[..., 48, column] += 1.0
        changed = (positive.unclamped(poked) - base).abs().amax((0, 1))
        columns = torch.nonzero(changed.amax(0) > 0).flatten() // 4
        reached = max(reached, column - int(columns.min()), int(columns.max()) - column)
    assert radius - align < reached <= radius


@torch.no_grad()
def test_nothing_beyond_the_receptive_radius_changes_a_pixel(deployed: Deployed) -> None:
    radius = receptive_radius(deployed, 2, 4, side=96)
    network, lr = copy.deepcopy(deployed).double(), torch.rand(1, 3, 16, 96, dtype=torch.float64)
    kept = 4 * (64 - radius)
    torch.testing.assert_close(network(lr)[..., :kept], network(lr[..., :64])[..., :kept], atol=1e-12, rtol=0)


@torch.no_grad()
def test_effective_radius_makes_cuts_invisible(deployed: Deployed) -> None:
    photo = torch.rand(1, 3, 64, 64)
    radius = effective_radius(deployed, [photo], 2, 4, largest=32)
    assert 0 < radius <= 32
    right = deployed(photo[..., 32:].contiguous())[..., 4 * radius :]
    assert (right - deployed(photo)[..., 4 * (32 + radius) :]).abs().max() <= QUARTER_LEVEL


def test_radius_does_not_depend_on_the_length_that_is_tried_first(deployed: Deployed) -> None:
    assert len({receptive_radius(deployed, deployed.student.stride, 4, side=side) for side in (16, 96, 160)}) == 1


def test_macs_are_counted_per_lr_pixel() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.PixelShuffle(1))
    assert count_macs(network) == 3 * 5 * 9


def fold_positive(network: Deployed) -> Deployed:
    positive = copy.deepcopy(network).double()
    positive.colour.without_limit()
    rng = np.random.default_rng(0)
    for parameter in positive.parameters():
        parameter.data = torch.from_numpy(rng.random(parameter.shape)) / parameter[0].numel() + 1e-3
    return positive
