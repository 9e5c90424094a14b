"""A discriminator of small parts of grey pictures."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from train.diffusion.pixels import luma

_LAYERS = ((1, 48, 4, 2), (48, 96, 4, 2), (96, 96, 3, 1))
"""Inputs, outputs, kernel and stride of each convolution but the last."""


class PatchDiscriminator(nn.Module):
    """Pictures [N, 3, H, W] in about [-1, 1], at least 26 pixels a side -> logits [N, 1, h, w], one for every 26x26
    pixels of luma.

    pix2pix's PatchGAN (Isola et al., CVPR 2017), small, with spectral norm (Miyato et al., ICLR 2018) in place of batch
    norm, and nothing padded, so that no logit knows where the border is.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in _LAYERS:
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(_LAYERS[-1][1], 1, 3)))

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.layers(luma(pictures))
        return logits
