"""ResShift's own networks as one static graph: they keep their encoder, their norms and their attention."""

import copy

import torch
from torch import Tensor, nn

from train.diffusion.latents import scale_of
from train.diffusion.pixels import enlarge, to_model, to_picture
from train.diffusion.schedule import Schedule
from train.engine.errors import TrainError
from train.networks.swin import SwinBlock, WindowAttention
from train.networks.swin_unet import ResBlock, SwinUNet
from train.networks.vq import VQAutoencoder


class ConstantAttention(WindowAttention):
    """Window attention whose biases, masked and not, were looked up beforehand."""

    free_bias: Tensor
    masked_bias: Tensor | None

    def __init__(self, source: WindowAttention, mask: Tensor | None) -> None:
        """``mask`` [N, N] is that of the block around ``source``, if it shifts its windows."""
        nn.Module.__init__(self)
        self.heads = source.heads
        self.qkv, self.proj = source.qkv, source.proj
        self.register_buffer("free_bias", source.bias().detach().contiguous())
        self.register_buffer("masked_bias", None if mask is None else self.free_bias + mask)

    def forward(self, windows: Tensor, mask: Tensor | None = None, masked: int = 0) -> Tensor:
        return self.attend(windows, self.free_bias, self.masked_bias, masked)


class DeployedReference(nn.Module):
    """lr [1, 3, tile, tile] in [0, 1] -> sr [1, 3, scale tile, scale tile] in [0, 1].

    The noise of z_T is a constant, drawn once: the same for every tile.
    """

    noise: Tensor

    def __init__(self, autoencoder: VQAutoencoder, student: SwinUNet, schedule: Schedule, noise: Tensor) -> None:
        """``student`` is a folded one; ``noise`` [1, C, h, w] is standard normal, h and w the sides of the latents."""
        super().__init__()
        self.autoencoder, self.student = autoencoder, student
        self.scale = scale_of(autoencoder, student)
        self.input_std = float(schedule.input_std[-1])
        self.register_buffer("noise", float(schedule.noise_std[-1]) * noise)

    def forward(self, lr: Tensor) -> Tensor:
        return self.decode(self.latents(lr))

    def latents(self, lr: Tensor) -> Tensor:
        """lr -> z_0 [1, C, h, w], the codebook not yet asked."""
        lq = to_model(lr)
        z_y = self.autoencoder.encode(enlarge(lq, self.scale))
        return self.student.deployed((z_y + self.noise) / self.input_std, lq)

    def decode(self, z_0: Tensor) -> Tensor:
        """z_0 -> sr."""
        return to_picture(self.autoencoder.decode(z_0))


@torch.no_grad()
def fold_swin_unet(student: SwinUNet, schedule: Schedule) -> SwinUNet:
    """The student at t = T - 1 without its time path, its attention biases and masks looked up.

    The modulation stands directly behind a norm with weight w and bias b: it becomes w (1 + scale) and
    b (1 + scale) + shift.
    """
    folded = SwinUNet(student.config, time_conditioned=False).to(next(student.parameters()))
    folded.load_state_dict({name: value for name, value in student.state_dict().items() if name in folded.state_dict()})
    time = student.time(torch.tensor([schedule.indices[-1]]))
    sources = dict(student.named_modules())
    for name, module in list(folded.named_modules()):
        if isinstance(module, ResBlock):
            source, norm = sources[name], module.out_layers[0]
            assert isinstance(source, ResBlock)
            assert isinstance(norm, nn.GroupNorm)
            scale, shift = source.modulation(time)[0].chunk(2)
            norm.weight.mul_(1 + scale)
            norm.bias.mul_(1 + scale).add_(shift)
        elif isinstance(module, SwinBlock):
            module.attn = ConstantAttention(module.attn, module.mask if module.shift else None)
    return folded


def fold_reference(
    autoencoder: VQAutoencoder, student: SwinUNet, schedule: Schedule, tile: int, seed: int
) -> DeployedReference:
    """The deployed graph for pictures of tile x tile, with the noise of this seed.

    Raises ``TrainError`` where the tile is not made of whole windows, or the networks do not belong together.
    """
    align = student.stride * student.config.lq_factor
    if tile < align or tile % align:
        raise TrainError(f"--tile {tile}: this student takes multiples of {align}")
    side = tile // student.config.lq_factor
    noise = torch.randn(1, student.latent_channels, side, side, generator=torch.Generator().manual_seed(seed))
    folded = DeployedReference(copy.deepcopy(autoencoder), fold_swin_unet(student, schedule), schedule, noise)
    return folded.eval().requires_grad_(False)
