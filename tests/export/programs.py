"""The programs of tiny networks, as ``compress`` writes them: fp32 and INT8, of free sizes and for one tile."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.export import Dim, ExportedProgram

from compress.folding.deployed import Deployed
from tadsr.program import ProgramMetadata
from tests.reference.seeded_weights import seed_network
from tests.tiny import AUTOENCODER, LR_ENCODER, STUDENT, VQ
from train.networks.autoencoder import Decoder
from train.networks.decoder_statistics import measure_statistics
from train.networks.lr_encoder import LREncoder
from train.networks.static_decoder import static_decoder
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder

TILE = 32
COLOUR = ["colour.mean", "colour.parts", "colour.spread", "colour.smooth"]
IN_FLOAT = ["lr_encoder.layers.0", "student.conv_in", "decoder.5.0", *COLOUR]
"""Of the convolutions of ``tiny_network``: those that read the picture or write the result, and constants."""
HAS_TORCHAO = importlib.util.find_spec("torchao") is not None
needs_int8 = pytest.mark.skipif(not HAS_TORCHAO, reason="needs torchao, which makes the INT8 program")
HAS_COREMLTOOLS = importlib.util.find_spec("coremltools") is not None
needs_coremltools = pytest.mark.skipif(not HAS_COREMLTOOLS, reason="needs coremltools, which is not installed")
needs_executorch = pytest.mark.skipif(
    importlib.util.find_spec("executorch") is None, reason="needs executorch, which is not installed"
)
CARD = ProgramMetadata(
    name="tiny",
    scale=4,
    align=2,
    receptive_radius=20,
    effective_radius=8,
    tiles=[TILE],
    parameters=1,
    macs_per_pixel=1,
    licence="Apache-2.0",
    provenance={"seed": 0},
)


def tiny_network(bias: float) -> Deployed:
    """Random weights, and biases of that deviation."""
    torch.manual_seed(0)
    network = Deployed(LREncoder(LR_ENCODER, 3), UNet(STUDENT, 3, time_conditioned=False), Decoder(AUTOENCODER), 4)
    for name, parameter in network.named_parameters():
        torch.nn.init.normal_(parameter, std=0.15 if name.endswith("weight") else bias)
    return network.eval().requires_grad_(False)


def vq_network() -> Deployed:
    """A mobile student in VQ-f4 latents, of random weights."""
    torch.manual_seed(0)
    autoencoder = VQAutoencoder(VQ).eval().requires_grad_(False)
    autoencoder.load_state_dict({**autoencoder.state_dict(), **seed_network(autoencoder, 3, rounded=False)})
    decoder = static_decoder(autoencoder, measure_statistics(autoencoder, [torch.randn(1, 3, 16, 16)]))
    network = Deployed(LREncoder(LR_ENCODER, 3), UNet(STUDENT, 3, time_conditioned=False), decoder, 4)
    return network.eval().requires_grad_(False)


def write_programs(folder: Path, network: Deployed) -> Path:
    """``student.pt2``, ``student.32.pt2`` and ``program.json``; with torchao also ``student.int8{,.32}.pt2``."""
    programs: dict[str, torch.nn.Module] = {"student": network}
    if HAS_TORCHAO:
        programs["student.int8"] = quantize(network)
    for name, module in programs.items():
        torch.export.save(export_free(module), folder / f"{name}.pt2")
        torch.export.save(torch.export.export(module, (torch.rand(1, 3, TILE, TILE),)), folder / f"{name}.{TILE}.pt2")
    CARD.write(folder)
    return folder


def export_free(module: torch.nn.Module) -> ExportedProgram:
    """The program with free batch, height and width."""
    free = {"lr": {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}
    return torch.export.export(module, (torch.rand(2, 3, 32, 48),), dynamic_shapes=free)


@torch.no_grad()
def quantize(network: torch.nn.Module, *in_float: str) -> torch.nn.Module:
    """The network in INT8, calibrated on noise; the first and the last convolution, and those named, stay in float."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

    from compress.quantization.layers import layers
    from compress.quantization.learnt_range import LearntRange
    from compress.quantization.quantizer import Int8Quantizer

    module = export_free(network).module()
    always = {layer.name for layer in layers(module, torch.rand(2, 3, 32, 48)) if layer.in_float}
    prepared = prepare_qat_pt2e(module, Int8Quantizer(always | set(in_float)))
    largest: dict[LearntRange, float] = {}

    def see(rounding: LearntRange, given: tuple[torch.Tensor]) -> None:
        largest[rounding] = max(largest.get(rounding, 0.0), float(given[0].abs().max()))

    roundings = [part for part in prepared.modules() if isinstance(part, LearntRange)]
    hooks = [rounding.register_forward_pre_hook(see) for rounding in roundings]
    for rounding in roundings:
        rounding.disable_fake_quant()
    for seed in range(4):
        prepared(torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)))
    for rounding, hook in zip(roundings, hooks, strict=True):
        hook.remove()
        rounding.set_range(largest[rounding])
        rounding.enable_fake_quant()
    converted: torch.nn.Module = convert_pt2e(prepared)
    return converted
