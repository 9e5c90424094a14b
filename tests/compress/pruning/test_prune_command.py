"""``python -m compress.prune``: it writes an autoencoder that every stage takes, and tells mistakes in one line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from compress import prune
from compress.folding.deployed import fold
from compress.pruning import dependencies
from compress.pruning.budget import layer_macs
from compress.pruning.part import Part, student_with
from compress.pruning.settings import PruneSettings
from compress.reporting.results import read_report
from tests.tiny import AUTOENCODER, LR_ENCODER, STUDENT, VQ, write_networks, write_photos, write_preset
from tests.tiny import write_reduced_preset as reduced
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import describe, load_autoencoder, load_network, load_unet, save_network
from train.engine.errors import TrainError
from train.engine.settings import parse
from train.evaluation.predictors import SamplingOptions, open_predictor
from train.finetuning.inputs import StudentLatents
from train.networks.autoencoder import Autoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder
from train.publish import publish

DIFFUSION = {"steps": 4, "min_noise": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos; networks of the mobile kind; a VQ autoencoder and a mobile student in its latents."""
    pytest.importorskip("torch_pruning", reason="the graph of dependencies is Torch-Pruning's")
    folder = tmp_path_factory.mktemp("prune")
    write_preset(folder / "tiny.yaml")
    reduced(folder / "vq.yaml", "reference", 64)
    write_photos(folder / "photos")
    write_networks(folder)
    torch.manual_seed(0)
    autoencoder = Autoencoder(replace(AUTOENCODER, decoder_width=16, decoder_fine_width=8))
    torch.nn.init.normal_(autoencoder.decoder[1].get_parameter("conv2.weight"), std=0.1)
    lr_encoder, student, vq = LREncoder(LR_ENCODER, 3), UNet(STUDENT, 3), VQAutoencoder(VQ)
    deployed = {"diffusion": DIFFUSION, "sampling": {"steps": 1, "noise": 0.0}}
    save_network(folder / "autoencoder.safetensors", autoencoder.state_dict(), describe(autoencoder))
    save_network(folder / "lr_encoder.safetensors", lr_encoder.state_dict(), describe(lr_encoder))
    save_network(folder / "deployed_student.safetensors", student.state_dict(), describe(student, **deployed))
    save_network(folder / "vq.safetensors", vq.state_dict(), describe(vq))
    return folder


def arguments(folder: Path, out: str, **changed: object) -> list[str]:
    chosen: dict[str, object] = {
        **{"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": folder / out},
        "autoencoder": folder / "autoencoder.safetensors",
        "student": folder / "deployed_student.safetensors",
        **{"steps": 2, "batch": 2, "workers": 0, "measured_batches": 2, "multiple": 1, "macs": 0.6},
        **changed,
    }
    return [text for key, value in chosen.items() for text in (f"--{key}", str(value))]


def macs(autoencoder: Path) -> float:
    return sum(layer_macs(load_autoencoder(autoencoder).decoder, torch.zeros(1, 3, 8, 8)).values())


def test_pruned_decoder_is_taken_in_the_place_of_the_full_one(folder: Path) -> None:
    prune.main(arguments(folder, "mobile", lr_encoder=folder / "lr_encoder.safetensors"))
    path, full = folder / "mobile" / "autoencoder.safetensors", folder / "autoencoder.safetensors"
    assert 0.5 * macs(full) < macs(path) <= 0.6 * macs(full)
    pruned, before = load_file(path), load_file(full)
    assert all(pruned[key].equal(before[key]) for key in before if not key.startswith("decoder."))

    autoencoder = load_autoencoder(publish(path, folder / "published"))
    student, sampling = load_unet(folder / "deployed_student.safetensors")
    lr_encoder, _ = load_network(folder / "lr_encoder.safetensors", "lr_encoder")
    assert isinstance(autoencoder, Autoencoder)
    assert isinstance(student, UNet)
    assert isinstance(lr_encoder, LREncoder)
    folded = fold(autoencoder, student, lr_encoder, make_schedule(sampling.diffusion), 4)
    assert folded(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)
    lr = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    sampled = open_predictor(folder / "deployed_student.safetensors", SamplingOptions(path))
    assert sampled.predict(lr, None).shape == (32, 48, 3)

    latents = StudentLatents(autoencoder, folder / "deployed_student.safetensors", folder / "lr_encoder.safetensors")
    ours = student_with(latents, Part(autoencoder, "decoder"), seed=0)
    theirs = folded(torch.from_numpy(lr).permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0) * 255
    assert np.abs(ours.predict(lr, None) - theirs.numpy()).max() <= 0.51
    assert ours.predict(lr[:7, :9], None).shape == (28, 36, 3)


def test_pruned_again_from_the_pruned(folder: Path) -> None:
    prune.main(arguments(folder, "once"))
    once = folder / "once" / "autoencoder.safetensors"
    prune.main(arguments(folder, "twice", autoencoder=once, macs=0.8))
    assert macs(folder / "twice" / "autoencoder.safetensors") <= 0.8 * macs(once)


def test_resumed_run_is_the_same_to_the_bit(folder: Path) -> None:
    prune.main(arguments(folder, "whole", steps=4))
    prune.main([*arguments(folder, "halted", steps=4), "--save_every", "1", "--minutes", "1e-9"])
    with safe_open(folder / "halted" / "checkpoint.safetensors", "pt") as file:
        assert file.metadata()["step"] == "1"
    prune.main(arguments(folder, "halted", steps=4))
    whole, halted = (load_file(folder / out / "autoencoder.safetensors") for out in ("whole", "halted"))
    assert all(whole[key].equal(halted[key]) for key in whole)


def test_finished_run_is_measured_by_giving_its_command_again(folder: Path) -> None:
    prune.main(arguments(folder, "measured"))
    before = (folder / "measured" / "autoencoder.safetensors").read_bytes()
    for path in write_photos(folder / "pairs" / "HR", count=2, side=128).iterdir():
        (folder / "pairs" / "LR").mkdir(exist_ok=True)
        Image.open(path).resize((32, 32), Image.Resampling.BICUBIC).save(folder / "pairs" / "LR" / path.name)
    asked = {"pairs": folder / "pairs", "report": folder / "report"}
    prune.main(arguments(folder, "measured", **asked))
    assert (folder / "measured" / "autoencoder.safetensors").read_bytes() == before
    full, pruned = read_report(folder / "report").results
    assert (full.stage, pruned.stage, pruned.baseline) == ("full-decoder", "pruned", "full-decoder")
    assert pruned.metrics["decoder_macs_ratio"] == pytest.approx(
        macs(folder / "measured" / "autoencoder.safetensors") / macs(folder / "autoencoder.safetensors"), abs=0.01
    )
    assert pruned.metrics["decoder_macs_ratio"] < pruned.metrics["macs_ratio"] < 1
    assert pruned.metrics["parameters"] < full.metrics["parameters"]
    assert pruned.provenance["command"].startswith("python -m compress.prune ")


@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_vq_autoencoder_is_pruned_saved_and_loaded(part: str, folder: Path) -> None:
    changed = {"autoencoder": folder / "vq.safetensors", "preset": folder / "vq.yaml", "part": part, "macs": 0.3}
    prune.main(arguments(folder, f"vq-{part}", **changed))
    path = folder / f"vq-{part}" / "autoencoder.safetensors"
    with safe_open(path, "pt") as file:
        description = json.loads(file.metadata()["network"])
    assert description["kind"] == "vq"
    assert description["config"]["ddconfig"]["ch"] == VQ.ddconfig.ch
    autoencoder = load_autoencoder(path)
    before = load_autoencoder(folder / "vq.safetensors")
    sizes = [sum(p.numel() for p in getattr(network, part).parameters()) for network in (autoencoder, before)]
    assert sizes[0] < 0.6 * sizes[1]
    with torch.no_grad():
        assert autoencoder(torch.rand(1, 3, 32, 32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"macs": 0.001}, r"--macs 0\.001: no width can meet it"),
        ({"macs": 0}, r"--macs 0: a fraction, give more than 0 and at most 1"),
        ({"report": "report"}, r"--report: .*give --pairs too"),
        ({"report": "report", "pairs": "nowhere"}, r"nowhere"),
        ({"measured_batches": 0}, r"--measured_batches 0: give 1 or more"),
        ({"autoencoder": "student.safetensors"}, r"student\.safetensors: holds a network of kind 'unet'"),
        ({"autoencoder": "vq.safetensors"}, r"vq\.safetensors: .* of the mobile family"),
        ({"student": "teacher.safetensors"}, r"teacher\.safetensors: takes 4 steps; give a one-step student"),
        ({"lr_encoder": "student.safetensors"}, r"student\.safetensors: holds a network of kind 'unet'"),
        ({"student": "none.safetensors"}, r"none\.safetensors: no such file"),
    ],
)
def test_mistakes_are_told_in_one_line(
    changed: dict[str, object], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = {k: folder / v if isinstance(v, str) else v for k, v in changed.items()}
    with pytest.raises(TrainError, match=message) as caught:
        prune.main(arguments(folder, "mistake", **full))
    assert "\n" not in str(caught.value)


def test_rows_are_of_decoders(folder: Path) -> None:
    with pytest.raises(TrainError, match="--report: has rows for a pruned decoder"):
        prune.main(arguments(folder, "mistake", part="encoder", pairs=folder, report=folder))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(dependencies, "import_module", missing)
    with pytest.raises(TrainError, match=r'torch-pruning is not installed.*"tadsr\[compress\]"'):
        dependencies.couplings(torch.nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 1, 1))


def test_shipped_preset_has_a_section() -> None:
    settings = parse(PruneSettings, "compress.prune", "", ["--out", "o", "--photos", "p"])
    assert settings.macs < 1
