"""Networks, autoencoders and their weights."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from tests.reference.findings import DECODED, EXACT, FLOAT32, ONE_CALL, Finding, compare, mismatch, rms
from tests.reference.folder import GoldenFolder, Stored
from tests.reference.seeded_weights import sha256
from train.networks.vq import VQAutoencoder

MODULES = {"lq_features": "feature_extractor"}
"""Stored outputs whose name is not that of the module they came out of."""
SAME_CODEWORD = 1e-5
"""How much farther than the nearest the stored codeword may be, as a squared distance: a tie in float32."""


def check_weights(folder: GoldenFolder) -> Iterator[Finding]:
    """Parameter counts and hashes of every network, and the recipe against the stored weights."""
    for section in reversed(folder.sections):
        described = folder.meta[section]
        network = folder.build(section)
        if "total_params" in described:
            count = sum(parameter.numel() for parameter in network.parameters())
            yield Finding(f"{section}: parameters", abs(count - described["total_params"]), EXACT)
        file = folder.weights_file(section)
        if file is None:
            weights = folder.recipe(section, network)
        else:
            weights = {name: value.float() for name, value in folder.load(file).items()}
            if "seed" in described:
                recipe = folder.recipe(section, network)
                same = weights.keys() == recipe.keys() and all(torch.equal(weights[k], recipe[k]) for k in recipe)
                yield mismatch(f"{section}: recipe = stored weights", same, True)
        if "sha256" in described:
            yield mismatch(f"{section}: sha256 of the weights", sha256(weights), described["sha256"])


def check_unet(folder: GoldenFolder, stem: str, stored: Stored) -> Iterator[Finding]:
    """Every case of a file: the outputs of the network and of whatever modules are stored beside it."""
    section = folder.section_of(stem)
    network = folder.unet(section)
    cases = sorted({name.removesuffix("x") for name in stored if name.rpartition(".")[2] == "x"})
    statistics = folder.meta.get(f"{section}_block_stats", {})
    described = "native." if "native." in cases else cases[0]
    for case in cases:
        inputs = {name: stored[case + name] for name in ("x", "t", "lq", "mask") if case + name in stored}
        wanted = [name.removeprefix(case) for name in stored if name.startswith(case)]
        wanted = [name for name in wanted if name not in inputs]
        blocks = list(statistics) if case == described else []
        outputs = _outputs(network, inputs, {*(MODULES.get(name, name) for name in wanted), *blocks})
        for name in wanted:
            yield compare(case + name, outputs[MODULES.get(name, name)], stored[case + name], ONE_CALL)
        for block in blocks:
            yield _statistics(f"{case}{block} statistics", outputs[block], statistics[block])


def check_autoencoder(folder: GoldenFolder, stem: str, stored: Stored) -> Iterator[Finding]:
    """Encoding of every picture x, x_wide, ...; the codebook and the decoder on the stored latents where they are."""
    network = folder.autoencoder(folder.section_of(stem))
    with torch.no_grad():
        for suffix in [name[1:] for name in stored if name == "x" or name.startswith("x_")]:
            z = stored[f"z{suffix}"]
            yield compare(f"z{suffix}", network.encode(stored[f"x{suffix}"]), z, ONE_CALL)
            if f"indices{suffix}" in stored:
                # Two codewords may be as near as each other, so from here on it goes on with the stored ones.
                indices = stored[f"indices{suffix}"].view(len(z), *z.shape[2:])
                yield nearest(f"indices{suffix}", network, z, indices)
                snapped = network.quantize.codewords(indices)
                yield compare(f"z_quantised{suffix}", snapped, stored[f"z_quantised{suffix}"], FLOAT32)
                yield compare(f"dec{suffix}", network.decode(snapped), stored[f"dec{suffix}"], DECODED)
                plain = network.decode(z, quantise=False)
                yield compare(f"dec_no_quant{suffix}", plain, stored[f"dec_no_quant{suffix}"], DECODED)
    margin = folder.meta.get("vq_margin_min")
    if margin is not None:
        yield Finding("codebook margin", abs(_margin(network, stored["z"]) - margin), 1e-5)


def nearest(what: str, network: VQAutoencoder, z: Tensor, indices: Tensor) -> Finding:
    """How much farther from z [N, C, h, w] than our codewords the stored ones [N, h, w] are, as a squared distance."""
    ours, stored = (
        (z - network.quantize.codewords(i)).double().square().sum(1) for i in (network.quantize.indices(z), indices)
    )
    return Finding(what, float((stored - ours).abs().max()), SAME_CODEWORD)


def _margin(network: VQAutoencoder, z: Tensor) -> float:
    """The smallest difference of the squared distances to the second nearest and to the nearest codeword."""
    flat = z.movedim(1, -1).flatten(0, -2).double()
    nearest = torch.cdist(flat, network.quantize.embedding.weight.double()).square().topk(2, largest=False).values
    return float((nearest[:, 1] - nearest[:, 0]).min())


def _outputs(network: nn.Module, inputs: dict[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """What the modules of these names put out in one call."""
    outputs: dict[str, Tensor] = {}
    with ExitStack() as hooks, torch.no_grad():
        for name in names:
            hook = network.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: outputs.__setitem__(name, output)
            )
            hooks.callback(hook.remove)
        network(inputs["x"], inputs["t"], inputs["lq"], mask=inputs.get("mask"))
    return outputs


def _statistics(what: str, output: Tensor, stored: dict[str, object]) -> Finding:
    """Mean, deviation, extremes and mean magnitude of an output."""
    if list(output.shape) != stored["shape"]:
        return Finding(what, float("inf"), ONE_CALL, f"shape {list(output.shape)}, stored {stored['shape']}")
    x = output.double()
    ours = {"mean": x.mean(), "std": x.std(), "min": x.min(), "max": x.max(), "abs_sum": x.abs().sum()}
    scale = {"abs_sum": x.numel()}
    errors = [abs(float(value) - float(stored[key])) / scale.get(key, 1) for key, value in ours.items()]  # type: ignore[arg-type]
    return Finding(what, max(errors), ONE_CALL * max(1.0, rms(x)))
