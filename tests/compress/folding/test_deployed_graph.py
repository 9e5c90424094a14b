"""The graph that is deployed: its operators, ranks and sizes, how far it sees, and that it is the trained networks."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantised programs
from torch import Tensor, nn
from torch.export import ExportedProgram

from compress.folding.deployed import Deployed, fold
from compress.folding.programs import export_free, export_static
from compress.folding.radius import receptive_radius
from tests.compress.graph_facts import convolutions, free_sizes, largest_rank, operators
from train.diffusion.pixels import to_model, to_picture
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import load_autoencoder, load_unet
from train.engine.noise import Noise
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.inputs import StudentLatents, load_lr_encoder
from train.networks.autoencoder import Autoencoder
from train.networks.unet import UNet

WEIGHTS = Path(__file__).resolve().parents[3] / "train/weights/mobile/deployed"
AUTOENCODER, STUDENT, LR_ENCODER = (
    WEIGHTS / f"{name}.safetensors" for name in ("autoencoder", "deployed_student", "lr_encoder")
)
ALLOWED = {"conv2d", "relu", "add", "sub", "mul", "cat", "pixel_shuffle", "clamp"}


@pytest.fixture(scope="module")
def shipped() -> Deployed:
    autoencoder, (student, sampling) = load_autoencoder(AUTOENCODER), load_unet(STUDENT)
    assert isinstance(autoencoder, Autoencoder)
    assert isinstance(student, UNet)
    lr_encoder = load_lr_encoder(LR_ENCODER, student.latent_channels)
    return fold(autoencoder, student, lr_encoder, make_schedule(sampling.diffusion), 4)


@pytest.fixture(scope="module")
def programs(shipped: Deployed) -> dict[int | None, ExportedProgram]:
    return {None: export_free(shipped, shipped.student.stride)} | {
        tile: export_static(shipped, tile) for tile in (128, 256, 512)
    }


@pytest.mark.parametrize("tile", [None, 128, 256, 512])
def test_graph_is_convolutions_and_little_else(programs: dict[int | None, ExportedProgram], tile: int | None) -> None:
    assert operators(programs[tile]) <= ALLOWED
    assert largest_rank(programs[tile]) <= 4


@pytest.mark.parametrize("tile", [128, 256, 512])
def test_static_programs_have_no_free_size(programs: dict[int | None, ExportedProgram], tile: int) -> None:
    assert free_sizes(programs[tile]) == []
    assert free_sizes(programs[None])
    (output,) = (node for node in programs[tile].graph.nodes if node.op == "output")
    assert tuple(output.args[0][0].meta["val"].shape) == (1, 3, 4 * tile, 4 * tile)


@torch.no_grad()
def test_static_programs_are_the_free_one(programs: dict[int | None, ExportedProgram]) -> None:
    lr = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(programs[128].module()(lr), programs[None].module()(lr), atol=1e-6, rtol=0)
    for tile in (256, 512):
        weights = programs[tile].state_dict
        assert weights.keys() == programs[None].state_dict.keys()
        assert all(torch.equal(value, programs[None].state_dict[name]) for name, value in weights.items())


@torch.no_grad()
def test_shipped_weights_folded_are_the_unfolded_pipeline(shipped: Deployed) -> None:
    autoencoder = load_autoencoder(AUTOENCODER)
    lr = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    z_0 = StudentLatents(autoencoder, STUDENT, LR_ENCODER)({"lq": lr}, Noise(0, 0))
    kept = ColourCorrection(4).of_model(to_model(lr), autoencoder.decode(z_0))
    torch.testing.assert_close(shipped(lr), to_picture(kept), atol=1e-4, rtol=0)


@torch.no_grad()
def test_shipped_widths_see_exactly_as_far_as_measured(shipped: Deployed) -> None:
    """By brute force: poke a pixel, look which outputs move. With positive weights nothing cancels, and without biases
    grey gives exactly 0, in which no response is too small to be seen.
    """
    align, side = shipped.student.stride, 176
    radius = receptive_radius(shipped, align, 4)
    positive, rng = copy.deepcopy(shipped).double(), np.random.default_rng(0)
    for parameter in positive.parameters():
        weight = torch.from_numpy(rng.random(parameter.shape) + 0.1) / parameter[0].numel()
        parameter.data = weight if parameter.dim() > 1 else torch.zeros_like(parameter)
    positive.colour.parts = torch.from_numpy(rng.random(positive.colour.parts.shape) + 0.1)
    positive.colour.without_limit()

    def answer(lr: Tensor) -> Tensor:
        lq = to_model(lr)
        large = positive.decoder(positive.student.deployed(positive.lr_encoder(lq), lq))
        return positive.colour(lr - 0.5, large)  # from grey: beside 0.5 the farthest responses would be lost

    lr = torch.full((1, 3, align, side), 0.5, dtype=torch.float64)
    assert not answer(lr).any()
    reached = 0
    for column in range(side // 2, side // 2 + align):
        poked = lr.clone()
        poked[..., column] += 1
        columns = torch.nonzero(answer(poked).abs().amax((0, 1, 2)) > 0).flatten() // 4
        reached = max(reached, column - int(columns.min()), int(columns.max()) - column)
    assert radius - align < reached <= radius


class Quantised(nn.Module):
    """A convolution as converted programs hold one."""

    weight: Tensor
    scales: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.arange(-27, 27, dtype=torch.int8).view(2, 3, 3, 3))
        self.register_buffer("scales", torch.tensor([0.5, 0.25]))
        self.register_buffer("zeros", torch.zeros(2, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.ops.quantized_decomposed.dequantize_per_channel(
            self.weight, self.scales, self.zeros, 0, -127, 127, torch.int8
        )
        return nn.functional.conv2d(x, weight)


def test_quantised_weights_are_read_with_their_scales() -> None:
    (convolution,) = convolutions(torch.export.export(Quantised(), (torch.zeros(1, 3, 4, 4),)))
    assert convolution.weight.dtype == torch.int8
    assert convolution.scales is not None
    assert convolution.scales.tolist() == [0.5, 0.25]
    assert convolution.axis == 0


def test_float_weights_have_no_scales(programs: dict[int | None, ExportedProgram]) -> None:
    found = convolutions(programs[None])
    assert all(one.weight.dtype == torch.float32 and one.scales is None for one in found)
