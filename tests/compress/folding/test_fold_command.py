"""``python -m compress.fold``: what it starts from, what it writes, and its mistakes in one line."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from compress import fold
from compress.reporting.results import read_report
from tadsr.program import read_metadata
from tests.tiny import LR_ENCODER, write_networks, write_photos, write_preset
from train.data.teacher_samples import DESCRIPTION, samples_file
from train.diffusion.pixels import from_tensor, to_tensor
from train.diffusion.process import ScheduleConfig
from train.engine.checkpoints import describe, load_autoencoder, save_network
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.settings import parse
from train.engine.sources import some_photos, training_data
from train.evaluation import scoring
from train.evaluation.pairs import find_pairs
from train.evaluation.predictors import Picture, SamplingOptions, open_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.inputs import load_lr_encoder
from train.finetuning.settings import FoldSettings
from train.finetuning.task import FinetuneTask
from train.networks.lr_encoder import LREncoder
from train.networks.narrow import narrow
from train.networks.unet import UNet, UNetConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything folding reads, and pairs to measure on."""
    folder = tmp_path_factory.mktemp("fold")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    torch.manual_seed(1)
    lr_encoder, other = LREncoder(LR_ENCODER, 3), LREncoder(LR_ENCODER, 5)
    for name, network in (("lr_encoder", lr_encoder), ("other_lr_encoder", other)):
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        save_network(folder / f"{name}.safetensors", network.state_dict(), describe(network))
    rng = np.random.default_rng(0)
    for side, name in ((16, "LR"), (64, "HR")):
        (folder / "pairs" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"pairs/{name}/{i}.png")
    return folder


def arguments(folder: Path, out: Path, **given: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": out}
    options |= {name: folder / f"{name}.safetensors" for name in ("autoencoder", "student", "lr_encoder")}
    options |= {"steps": 0, "batch": 2, "workers": 0, "precision": "32-true"} | given
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def run(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["compress.fold", *argv])
    monkeypatch.setattr(fold, "measuring_crops", lambda photos: [torch.rand(1, 3, 32, 32)])
    fold.main()


def test_no_steps_fold_what_is_given(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = load_autoencoder(folder / "autoencoder.safetensors")
    narrow(pruned, {"decoder.1.conv1": (8, 5), "decoder.1.conv2": (5, 8)})
    save_network(tmp_path / "pruned.safetensors", pruned.state_dict(), describe(pruned))
    run(monkeypatch, arguments(folder, tmp_path / "o", autoencoder=tmp_path / "pruned.safetensors"))
    assert {path.name for path in (tmp_path / "o").iterdir()} == {
        "program.json",
        "student.pt2",
        *(f"student.{tile}.pt2" for tile in (128, 256, 512)),
    }
    program = torch.export.load(tmp_path / "o/student.pt2")
    assert program.state_dict["decoder.1.conv1.weight"].shape == (5, 8, 3, 3)
    given = load_lr_encoder(folder / "lr_encoder.safetensors", 3).layers[0].get_parameter("weight")
    assert torch.equal(program.state_dict["lr_encoder.layers.0.weight"], given)
    provenance = read_metadata(tmp_path / "o/student.pt2").provenance
    assert provenance["finetuning"]["steps"] == 0
    assert provenance["autoencoder"]["widths"]["decoder.1.conv1"] == [8, 5]
    assert "--steps=0" in provenance["command"]


def test_finetuning_starts_from_the_lr_encoder(folder: Path, tmp_path: Path) -> None:
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path, steps=2))
    network = FinetuneTask(settings, training_data(settings)).trainables["student"].network
    given = load_lr_encoder(folder / "lr_encoder.safetensors", 3).state_dict()
    assert all(torch.equal(network.state_dict()[f"lr_encoder.{name}"], value) for name, value in given.items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_share_of_the_finetuning(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"train_decoder": True, "lr": 0.05, "steps": 2}
    for share in (0.0, 0.25, 1.0):
        run(monkeypatch, arguments(folder, tmp_path / f"{share}", share=share, **given))

    def files(out: Path) -> list[Tensor]:
        """Of one parameter of each network that is written, and of the program."""
        networks = {"deployed_student": "conv_in", "lr_encoder": "layers.0", "autoencoder": "decoder.5.0"}
        values = [load_file(out / f"{name}.safetensors")[f"{layer}.weight"] for name, layer in networks.items()]
        program = torch.export.load(out / "student.pt2").state_dict
        return [*values, program["lr_encoder.layers.0.weight"], program["decoder.5.0.weight"]]

    none, some, whole = (files(tmp_path / f"{share}") for share in (0.0, 0.25, 1.0))
    for a, between, b in zip(none, some, whole, strict=True):
        assert not torch.equal(a, b)
        torch.testing.assert_close(between, a.lerp(b, 0.25))
    given_encoder = load_file(folder / "lr_encoder.safetensors")["layers.0.weight"]
    torch.testing.assert_close(none[1], given_encoder)


def test_a_share_is_of_something(folder: Path, tmp_path: Path) -> None:
    mistakes: dict[str, dict[str, object]] = {
        "--share 0.5: .* give --lr_encoder too": {"share": 0.5, "lr_encoder": None},
        "--share 1.5: give 0": {"share": 1.5},
    }
    for message, given in mistakes.items():
        settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path, steps=2, **given))
        with pytest.raises(TrainError, match=message):
            FinetuneTask(settings, training_data(settings))


@pytest.mark.parametrize("train_decoder", [False, True])
def test_the_teachers_discriminator_judges_the_deployed_student(
    folder: Path, tmp_path: Path, train_decoder: bool
) -> None:
    given = {"teacher": folder / "teacher.safetensors", "lambda_2": 0.1, "paper.heads.width": 32}
    given["train_decoder"] = train_decoder
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path, steps=2, **given))
    task = FinetuneTask(settings, training_data(settings))
    assert list(task.trainables) == ["student", "discriminator"]
    batch = {"hq": torch.rand(2, 3, 32, 32), "lq": torch.rand(2, 3, 8, 8)}
    theirs, ours = task.optimiser_steps(batch, Noise(seed=0, step=0))
    theirs.terms["discriminator"].backward()
    student = task.trainables["student"].network
    assert all(parameter.grad is None for parameter in student.parameters())
    assert any(parameter.grad is not None for parameter in task.trainables["discriminator"].network.parameters())
    ours.terms["adversarial"].backward()
    moved = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert any(name.startswith("student.") for name in moved)
    assert any(name.startswith("decoder.") for name in moved) == train_decoder


def test_the_discriminator_needs_more_than_a_border(folder: Path, tmp_path: Path) -> None:
    deep = UNet(UNetConfig(widths=(8,) * 5, blocks=(1,) * 5, time_features=16), 3)
    header = describe(deep, diffusion=asdict(ScheduleConfig(steps=4)), sampling={"steps": 4})
    save_network(tmp_path / "deep.safetensors", deep.state_dict(), header)
    given = {"teacher": tmp_path / "deep.safetensors", "lambda_2": 0.1, "train_decoder": True}
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path, steps=2, **given))
    with pytest.raises(TrainError, match=r"--data\.crop 64: .* is not shown the border, .* give 128 or more"):
        FinetuneTask(settings, training_data(settings))


def with_colours(lr: Picture, sr: Picture) -> Picture:
    """Those that the deployed graph keeps."""
    return from_tensor(ColourCorrection(4)(to_tensor(lr), to_tensor(sr)))


def test_unfolded_has_the_decoder_that_was_trained(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the folded program it differs by the LR encoder alone, and its own pictures are those of the files."""
    given = {"train_decoder": True, "lr": 0.05, "pairs": folder / "pairs", "report": tmp_path / "report"}
    out = tmp_path / "o"
    run(monkeypatch, arguments(folder, out, steps=3, **given))
    networks = SamplingOptions(out / "autoencoder.safetensors")
    predictor = open_predictor(out / "deployed_student.safetensors", networks)
    rows = {row.stage: row.metrics for row in read_report(tmp_path / "report").results}
    pairs = find_pairs(folder / "pairs")
    scored = scoring.score_all((name, with_colours(lr, predictor.predict(lr, hr)), hr, lr) for name, lr, hr in pairs)
    assert rows["unfolded"]["psnr_y"] == pytest.approx(scoring.mean(scored.values())["psnr_y"], abs=0.01)


def test_two_discriminators_move_before_the_student(folder: Path, tmp_path: Path) -> None:
    given = {"teacher": folder / "teacher.safetensors", "lambda_2": 0.1, "paper.heads.width": 32}
    options = {**given, "texture_weight": 0.1, "train_decoder": True}
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path, steps=2, **options))
    task = FinetuneTask(settings, training_data(settings))
    batch = {"hq": torch.rand(2, 3, 32, 32), "lq": torch.rand(2, 3, 8, 8)}
    *others, student = task.optimiser_steps(batch, Noise(seed=0, step=0))
    assert [each.trainable for each in others] == ["discriminator", "patch_discriminator"] == list(task.trainables)[1:]
    assert {"adversarial", "texture"} <= set(student.terms)


@pytest.mark.parametrize("widths", [{}, {"decoder.1.conv1": (8, 5), "decoder.1.conv2": (5, 8)}], ids=["full", "pruned"])
def test_the_decoder_is_trained_beside_the_student_and_deployed(
    widths: dict[str, tuple[int, int]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, given = tmp_path / "o", load_autoencoder(folder / "autoencoder.safetensors")
    narrow(given, widths)
    save_network(tmp_path / "autoencoder.safetensors", given.state_dict(), describe(given))
    options = {"autoencoder": tmp_path / "autoencoder.safetensors", "train_decoder": True, "lr": 0.01}
    run(monkeypatch, arguments(folder, out, steps=2, **options))
    before, after = (load_autoencoder(path / "autoencoder.safetensors") for path in (tmp_path, out))
    changed = {name for name, value in after.state_dict().items() if not value.equal(before.state_dict()[name])}
    assert changed == {name for name, _ in after.decoder.named_parameters(prefix="decoder")}
    run(
        monkeypatch,
        arguments(
            out,
            tmp_path / "p",
            preset=folder / "tiny.yaml",
            photos=folder / "photos",
            student=out / "deployed_student.safetensors",
        ),
    )
    a, b = (torch.export.load(path / "student.pt2").state_dict for path in (out, tmp_path / "p"))
    assert all(value.equal(b[name]) for name, value in a.items())


def test_rows_of_the_report(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report"
    run(monkeypatch, arguments(folder, tmp_path / "o", pairs=folder / "pairs", report=report))
    rows = {row.stage: row for row in read_report(report).results}
    assert rows.keys() == {"unfolded", "folded"}
    assert rows["folded"].baseline == "unfolded"
    assert rows["folded"].metrics["macs_per_pixel"] == read_metadata(tmp_path / "o/student.pt2").macs_per_pixel
    assert rows["folded"].metrics["psnr_previous"] < 60  # the LR encoder is not the full one


def test_photos_may_be_samples_of_the_teacher(folder: Path, tmp_path: Path) -> None:
    hq = torch.arange(2 * 3 * 16 * 16).remainder(256).view(2, 3, 16, 16).to(torch.uint8)
    z = torch.zeros(2, 3, 4, 4, dtype=torch.float16)
    tensors = {"hq": hq, "lq": hq[..., :4, :4].clone(), "noise": z, "teacher_z_0": z.clone()}
    save_file(tensors, samples_file(tmp_path, 0))
    (tmp_path / DESCRIPTION).write_text(json.dumps({"batches": 1, "batch": 2}), encoding="utf-8")
    settings = parse(FoldSettings, "compress.fold", "", arguments(folder, tmp_path / "o", photos=tmp_path))
    assert training_data(settings)[0].keys() == {"hq", "lq", "noise", "teacher_z_0"}
    found = sorted(some_photos(settings, 2), key=lambda picture: int(picture[0, 0, 0]))
    expected = sorted(hq.movedim(1, -1).numpy(), key=lambda picture: int(picture[0, 0, 0]))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr_encoder": None}, "--steps 0: folds what is given, and no LR encoder is"),
        ({"lr_encoder": "student.safetensors"}, "holds a network of kind 'unet'"),
        ({"lr_encoder": "other_lr_encoder.safetensors"}, "for latents of 5 channels, not 3"),
        ({"student": "teacher.safetensors"}, "takes 4 steps; give a one-step student"),
        ({"student": "lr_encoder.safetensors"}, "needed is unet or swin_unet"),
        ({"report": "report"}, "--report: a row is measured where both are given; give --pairs too"),
        ({"steps": -1}, "--steps -1: give 0 or more"),
        ({"steps": 1, "lambda_2": 0.1}, "--lambda_2: the discriminator reads the teacher's features; give --teacher"),
    ],
)
def test_mistakes_are_one_line(
    changed: dict[str, object], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = {k: folder / v if isinstance(v, str) else v for k, v in changed.items()}
    with pytest.raises(TrainError, match=message) as caught:
        run(monkeypatch, arguments(folder, tmp_path / "o", **full))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_presets_are_taken() -> None:
    for preset, name in (("mobile", "mobile"), ("reference", "reference")):
        settings = parse(FoldSettings, "compress.fold", "", [f"--preset={preset}", "--photos=p", "--out=o"])
        assert settings.name == name
        assert asdict(settings)["tile"] == 64
