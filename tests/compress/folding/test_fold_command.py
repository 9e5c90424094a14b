"""``python -m compress.fold``: what it folds, writes and measures, and its mistakes in one line."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from compress import fold
from compress.folding import deployed
from compress.folding.settings import FoldSettings
from compress.reporting.results import read_report
from tadsr.program import read_metadata
from tests.tiny import STUDENT, write_lr_encoder, write_networks, write_photos, write_preset
from train.data.teacher_samples import DESCRIPTION, samples_file
from train.diffusion.pixels import from_tensor, to_tensor
from train.diffusion.schedule import ScheduleConfig, make_schedule
from train.engine.checkpoints import describe, load_autoencoder, load_unet, save_network
from train.engine.errors import TrainError
from train.engine.settings import parse
from train.engine.sources import some_photos, training_data
from train.evaluation import scoring
from train.evaluation.pairs import find_pairs
from train.evaluation.predictors import Picture, SamplingOptions, open_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.inputs import load_lr_encoder
from train.networks.autoencoder import Autoencoder
from train.networks.narrow import narrow
from train.networks.unet import UNet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that folding reads, as a finetuning writes it, and pairs to measure on."""
    folder = tmp_path_factory.mktemp("fold")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    student = UNet(STUDENT, 3)
    nn.init.normal_(student.conv_out.weight, std=0.1)
    sampling = {"steps": 1, "noise": 0.0}
    header = describe(student, diffusion=asdict(ScheduleConfig(steps=4, min_noise=0.2)), sampling=sampling)
    save_network(folder / "student.safetensors", student.state_dict(), header)
    write_lr_encoder(folder / "lr_encoder.safetensors")
    write_lr_encoder(folder / "other_lr_encoder.safetensors", latent_channels=5)
    rng = np.random.default_rng(0)
    for side, name in ((16, "LR"), (64, "HR")):
        (folder / "pairs" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"pairs/{name}/{i}.png")
    return folder


def arguments(folder: Path, out: Path, **changed: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": out}
    options |= {name: folder / f"{name}.safetensors" for name in ("autoencoder", "student", "lr_encoder")}
    options |= {"workers": 0} | changed
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


@pytest.fixture(autouse=True)
def one_small_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure r on it: its value is not what these tests are about."""
    monkeypatch.setattr(fold, "measuring_crops", lambda photos: [torch.rand(1, 3, 32, 32)])


@pytest.fixture
def one_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "TILES", [128])


def test_networks_of_files_are_folded(folder: Path, tmp_path: Path) -> None:
    pruned = load_autoencoder(folder / "autoencoder.safetensors")
    narrow(pruned, {"decoder.1.conv1": (8, 5), "decoder.1.conv2": (5, 8)})
    save_network(tmp_path / "pruned.safetensors", pruned.state_dict(), describe(pruned))
    fold.main(arguments(folder, tmp_path / "o", autoencoder=tmp_path / "pruned.safetensors"))
    assert {path.name for path in (tmp_path / "o").iterdir()} == {
        "program.json",
        "student.pt2",
        *(f"student.{tile}.pt2" for tile in (128, 256, 512)),
    }
    weights = torch.export.load(tmp_path / "o/student.pt2").state_dict
    assert weights["decoder.1.conv1.weight"].shape == (5, 8, 3, 3)
    student, sampling = load_unet(folder / "student.safetensors")
    assert isinstance(student, UNet)
    assert isinstance(pruned, Autoencoder)
    lr_encoder = load_lr_encoder(folder / "lr_encoder.safetensors", 3)
    expected = deployed.fold(pruned, student, lr_encoder, make_schedule(sampling.diffusion), 4).state_dict()
    assert all(value.equal(expected[name]) for name, value in weights.items())
    metadata = read_metadata(tmp_path / "o/student.pt2")
    assert (metadata.name, metadata.scale, metadata.align) == ("mobile", 4, 2)
    assert metadata.provenance["autoencoder"]["widths"]["decoder.1.conv1"] == [8, 5]
    assert metadata.provenance["command"].startswith("python -m compress.fold --preset=")


def with_colours(lr: Picture, sr: Picture) -> Picture:
    """The picture with the colours that the deployed graph gives it."""
    return from_tensor(ColourCorrection(4)(to_tensor(lr), to_tensor(sr)))


@pytest.mark.usefixtures("one_tile")
def test_rows_of_the_report(folder: Path, tmp_path: Path) -> None:
    """Beside the folded program, ``unfolded`` differs by the LR encoder alone; its pictures are those of the files."""
    report = tmp_path / "report"
    fold.main(arguments(folder, tmp_path / "o", pairs=folder / "pairs", report=report))
    rows = {row.stage: row for row in read_report(report).results}
    assert rows.keys() == {"unfolded", "folded"}
    assert rows["folded"].baseline == "unfolded"
    assert rows["folded"].metrics["macs_per_pixel"] == read_metadata(tmp_path / "o/student.pt2").macs_per_pixel
    assert rows["folded"].metrics["psnr_previous"] < 60  # the LR encoder is not the full one
    networks = SamplingOptions(folder / "autoencoder.safetensors")
    predictor = open_predictor(folder / "student.safetensors", networks)
    pairs = find_pairs(folder / "pairs")
    scored = scoring.score_all((name, with_colours(lr, predictor.predict(lr, hr)), hr, lr) for name, lr, hr in pairs)
    unfolded = rows["unfolded"].metrics["psnr_y"]
    assert unfolded == pytest.approx(scoring.mean(scored.values())["psnr_y"], abs=0.01)


def test_photos_may_be_samples_of_the_teacher(folder: Path, tmp_path: Path) -> None:
    hq = torch.arange(2 * 3 * 16 * 16).remainder(256).view(2, 3, 16, 16).to(torch.uint8)
    z = torch.zeros(2, 3, 4, 4, dtype=torch.float16)
    tensors = {"hq": hq, "lq": hq[..., :4, :4].clone(), "noise": z, "teacher_z_0": z.clone()}
    save_file(tensors, samples_file(tmp_path, 0))
    (tmp_path / DESCRIPTION).write_text(json.dumps({"batches": 1, "batch": 2}), encoding="utf-8")
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path / "o", photos=tmp_path))
    assert training_data(settings)[0].keys() == {"hq", "lq", "noise", "teacher_z_0"}
    photos = sorted(some_photos(settings, 2), key=lambda picture: int(picture[0, 0, 0]))
    expected = sorted(hq.movedim(1, -1).numpy(), key=lambda picture: int(picture[0, 0, 0]))
    assert all(np.array_equal(a, b) for a, b in zip(photos, expected, strict=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr_encoder": "none.safetensors"}, r"none\.safetensors: no such file"),
        ({"lr_encoder": "student.safetensors"}, "holds a network of kind 'unet'"),
        ({"lr_encoder": "other_lr_encoder.safetensors"}, "for latents of 5 channels, not 3"),
        ({"student": "teacher.safetensors"}, "takes 4 steps; give a one-step student"),
        ({"student": "lr_encoder.safetensors"}, "needed is unet or swin_unet"),
        ({"report": "report"}, "--report: .*give --pairs too"),
    ],
)
def test_mistakes_are_one_line(changed: dict[str, object], message: str, folder: Path, tmp_path: Path) -> None:
    full = {k: folder / v if isinstance(v, str) else v for k, v in changed.items()}
    with pytest.raises(TrainError, match=message) as caught:
        fold.main(arguments(folder, tmp_path / "o", **full))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_presets_are_taken() -> None:
    for preset, name in (("mobile", "mobile"), ("reference", "reference")):
        settings = parse(FoldSettings, "compress.fold", "", [f"--preset={preset}", "--photos=p", "--out=o"])
        assert (settings.name, settings.tile) == (name, 64)
