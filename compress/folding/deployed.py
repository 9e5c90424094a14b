"""The deployed graph of the mobile kind, image in and image out, and how trained networks fold into it."""

import copy

import torch
from torch import Tensor, nn

from train.diffusion.pixels import to_model
from train.diffusion.schedule import Schedule
from train.finetuning.colour_correction import ColourCorrection
from train.networks.autoencoder import Autoencoder
from train.networks.layers import ResidualBlock
from train.networks.lr_encoder import LREncoder
from train.networks.static_decoder import StaticDecoder
from train.networks.unet import UNet


class Deployed(nn.Module):
    """lr [N, 3, h, w] in [0, 1] -> sr [N, 3, f h, f w] in [0, 1].

    LR encoder, folded student at t = T, folded decoder, and the input's colours.
    """

    def __init__(self, lr_encoder: LREncoder, student: UNet, decoder: nn.Module, scale: int) -> None:
        """``decoder`` maps the student's latents to pictures in about [0, 1], not yet clamped."""
        super().__init__()
        self.lr_encoder = lr_encoder
        self.student = student
        self.decoder = decoder
        self.colour = ColourCorrection(scale)

    def forward(self, lr: Tensor) -> Tensor:
        return self.unclamped(lr).clamp(0, 1)

    def unclamped(self, lr: Tensor) -> Tensor:
        """lr [N, 3, h, w] in [0, 1] -> sr [N, 3, f h, f w] in about [0, 1], not yet clamped."""
        lq = to_model(lr)
        return self.colour(lr, self.decoder(self.student.deployed(self.lr_encoder(lq), lq)))


def fold(
    decoder: Autoencoder | StaticDecoder, student: UNet, lr_encoder: LREncoder, schedule: Schedule, scale: int
) -> Deployed:
    """The deployed graph for z_T = z_y (noise 0), equal to the unfolded networks up to rounding.

    ``decoder`` is the mobile autoencoder, whose encoder is not deployed, or what became of a VQ autoencoder's decoder;
    it enlarges by ``scale``.
    """
    folded = Deployed(copy.deepcopy(lr_encoder), fold_student(student, schedule), fold_decoder(decoder), scale)
    folded.colour.to(student.conv_in.weight)
    return folded.eval().requires_grad_(False)


@torch.no_grad()
def fold_student(student: UNet, schedule: Schedule) -> UNet:
    """The student at t = T - 1 without its time path.

    FiLM behind a convolution is that convolution with weight w (1 + scale) and bias b (1 + scale) + shift. With
    z_T = z_y the first convolution sees z_y twice, once divided by the input's standard deviation: its two kernels add.
    """
    if student.time is None:
        raise TypeError("this student is folded already")
    folded = UNet(student.config, student.latent_channels, time_conditioned=False).to(student.conv_in.weight)
    time = student.time(torch.tensor([schedule.indices[-1]]))
    sources = dict(student.named_modules())
    for name, module in folded.named_modules():
        if isinstance(module, ResidualBlock):
            source = sources[name]
            assert isinstance(source, ResidualBlock)
            _fold_film(source, module, time)
    latents = student.latent_channels
    z_t, rest = student.conv_in.weight.split([latents, latents + 3], dim=1)
    folded.conv_in.weight.copy_(rest)
    folded.conv_in.weight[:, :latents] += z_t / float(schedule.input_std[-1])
    _bias(folded.conv_in).copy_(_bias(student.conv_in))
    for part in ("downs", "ups", "conv_out"):
        getattr(folded, part).load_state_dict(getattr(student, part).state_dict())
    return folded


@torch.no_grad()
def fold_decoder(source: Autoencoder | StaticDecoder) -> nn.Module:
    """The decoder of the student's latents that gives pictures in [0, 1].

    The change of range folds into its last convolution, and the mobile latents' mean and deviation into its first,
    which is 1x1 and so has no border.
    """
    folded = copy.deepcopy(source.decoder if isinstance(source, Autoencoder) else source)
    if isinstance(source, Autoencoder):
        first = folded[0]
        assert isinstance(first, nn.Conv2d)
        mean, std = source.latent_mean.flatten(), source.latent_std.flatten()
        _bias(first).add_(first.weight[:, :, 0, 0] @ mean)
        first.weight *= std[None, :, None, None]
    *_, last = (layer for layer in folded.modules() if isinstance(layer, nn.Conv2d))
    last.weight *= 0.5
    _bias(last).mul_(0.5).add_(0.5)
    return folded


def _fold_film(source: ResidualBlock, target: ResidualBlock, time: Tensor) -> None:
    assert source.film is not None
    scale, shift = source.film(time)[0].chunk(2)
    target.conv1.weight.copy_(source.conv1.weight * (1 + scale)[:, None, None, None])
    _bias(target.conv1).copy_(_bias(source.conv1) * (1 + scale) + shift)
    target.conv2.load_state_dict(source.conv2.state_dict())


def _bias(convolution: nn.Conv2d) -> Tensor:
    """The bias, which every convolution of the mobile networks has."""
    assert convolution.bias is not None
    return convolution.bias
