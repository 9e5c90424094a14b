"""``python -m train.finetune``: what it starts from, what it trains and writes, and its mistakes in one line."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.tiny import write_lr_encoder, write_networks, write_photos, write_preset
from train import finetune
from train.diffusion.schedule import ScheduleConfig
from train.engine.checkpoints import describe, load_autoencoder, load_unet, save_network
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.run_folder import CHECKPOINT, SETTINGS, open_run
from train.engine.settings import parse
from train.engine.sources import training_data
from train.finetuning.inputs import load_lr_encoder
from train.finetuning.settings import FinetuneSettings
from train.finetuning.task import FinetuneTask
from train.networks.narrow import narrow
from train.networks.unet import UNet, UNetConfig

BATCH = {"hq": torch.rand(2, 3, 32, 32), "lq": torch.rand(2, 3, 8, 8)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that finetuning reads."""
    folder = tmp_path_factory.mktemp("finetune")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    write_lr_encoder(folder / "lr_encoder.safetensors")
    write_lr_encoder(folder / "other_lr_encoder.safetensors", latent_channels=5)
    return folder


def arguments(folder: Path, out: Path, **changed: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "tiny.yaml", "photos": folder / "photos", "out": out}
    options |= {name: folder / f"{name}.safetensors" for name in ("autoencoder", "student", "lr_encoder")}
    options |= {"steps": 2, "batch": 2, "workers": 0, "precision": "32-true"} | changed
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def task(folder: Path, **changed: object) -> FinetuneTask:
    settings = parse(FinetuneSettings, "train.finetune", "", arguments(folder, folder / "unused", **changed))
    return FinetuneTask(settings, training_data(settings))


def adversarial(folder: Path, **changed: object) -> dict[str, object]:
    return {"teacher": folder / "teacher.safetensors", "lambda_2": 0.1, "paper.heads.width": 32} | changed


def test_it_starts_from_the_lr_encoder(folder: Path) -> None:
    network = task(folder).trainables["student"].network
    start = load_lr_encoder(folder / "lr_encoder.safetensors", 3).state_dict()
    assert all(torch.equal(network.state_dict()[f"lr_encoder.{name}"], value) for name, value in start.items())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("widths", [{}, {"decoder.1.conv1": (8, 5), "decoder.1.conv2": (5, 8)}], ids=["full", "pruned"])
def test_the_decoder_is_trained_beside_the_student(
    widths: dict[str, tuple[int, int]], folder: Path, tmp_path: Path
) -> None:
    out, start = tmp_path / "o", load_autoencoder(folder / "autoencoder.safetensors")
    narrow(start, widths)
    save_network(tmp_path / "autoencoder.safetensors", start.state_dict(), describe(start))
    options = {"autoencoder": tmp_path / "autoencoder.safetensors", "train_decoder": True, "lr": 0.01}
    finetune.main(arguments(folder, out, **options))
    before, after = (load_autoencoder(path / "autoencoder.safetensors") for path in (tmp_path, out))
    changed = {name for name, value in after.state_dict().items() if not value.equal(before.state_dict()[name])}
    assert changed == {name for name, _ in after.decoder.named_parameters(prefix="decoder")}
    _, sampling = load_unet(out / "deployed_student.safetensors")
    assert (sampling.steps, sampling.noise) == (1, 0)
    assert load_lr_encoder(out / "lr_encoder.safetensors", 3)


def test_a_frozen_decoder_is_not_written(folder: Path, tmp_path: Path) -> None:
    finetune.main(arguments(folder, tmp_path / "o", steps=1, lr_encoder=None))
    written = {path.name for path in (tmp_path / "o").glob("*.safetensors")}
    assert written == {"checkpoint.safetensors", "deployed_student.safetensors", "lr_encoder.safetensors"}


def test_settings_of_older_runs_are_read_by_their_old_names(folder: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).touch()
    settings = parse(FinetuneSettings, "train.finetune", "", arguments(folder, tmp_path, interpolation=0.25))
    open_run(settings)
    noted = (tmp_path / SETTINGS).read_text(encoding="utf-8")
    old = noted.replace("interpolation:", "share:").replace("synthetic_prob:", "drawn_share:")
    assert old.count("_share:") == 1
    (tmp_path / SETTINGS).write_text(old, encoding="utf-8")
    open_run(settings)
    (tmp_path / SETTINGS).write_text(old.replace("share: 0.25", "share: 0.5"), encoding="utf-8")
    with pytest.raises(TrainError, match=r"interpolation 0\.5 -> 0\.25"):
        open_run(settings)


def test_networks_between_the_start_and_the_end_are_exported(folder: Path) -> None:
    exports: dict[float, dict[str, nn.Module]] = {}
    for weight in (0.0, 0.25, 1.0):
        made = task(folder, interpolation=weight, train_decoder=True)
        network = made.trainables["student"].network
        generator = torch.Generator().manual_seed(0)
        for parameter in network.parameters():
            parameter.data += torch.rand(parameter.shape, generator=generator)
        exports[weight] = made.exports(network)
        assert made.description()["interpolation"] == weight
    assert exports[0.25].keys() == {"deployed_student", "lr_encoder", "autoencoder"}
    for name, between in exports[0.25].items():
        start, end = (dict(exports[weight][name].named_parameters()) for weight in (0.0, 1.0))
        moved = {key for key in start if not start[key].equal(end[key])}
        assert moved == {key for key in start if not key.startswith("encoder.")}
        for key, value in between.named_parameters():
            torch.testing.assert_close(value, start[key].lerp(end[key], 0.25))
    lr_encoder = load_file(folder / "lr_encoder.safetensors")
    assert all(exports[0.0]["lr_encoder"].get_parameter(key).equal(value) for key, value in lr_encoder.items())


@pytest.mark.parametrize("train_decoder", [False, True])
def test_the_teachers_discriminator_judges_the_deployed_student(folder: Path, train_decoder: bool) -> None:
    made = task(folder, **adversarial(folder, train_decoder=train_decoder))
    assert list(made.trainables) == ["student", "discriminator"]
    discriminator_step, student_step = made.optimiser_steps(BATCH, Noise(seed=0, step=0))
    discriminator_step.terms["discriminator"].backward()
    student = made.trainables["student"].network
    assert all(parameter.grad is None for parameter in student.parameters())
    assert any(parameter.grad is not None for parameter in made.trainables["discriminator"].network.parameters())
    student_step.terms["adversarial"].backward()
    moved = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert any(name.startswith("student.") for name in moved)
    assert any(name.startswith("decoder.") for name in moved) == train_decoder


def test_the_discriminator_needs_more_than_a_border(folder: Path, tmp_path: Path) -> None:
    deep = UNet(UNetConfig(widths=(8,) * 5, blocks=(1,) * 5, time_features=16), 3)
    header = describe(deep, diffusion=asdict(ScheduleConfig(steps=4)), sampling={"steps": 4})
    save_network(tmp_path / "deep.safetensors", deep.state_dict(), header)
    with pytest.raises(TrainError, match=r"--data\.crop 64: .* border, .* give 128 or more"):
        task(folder, **adversarial(folder, teacher=tmp_path / "deep.safetensors", train_decoder=True))


def test_two_discriminators_move_before_the_student(folder: Path) -> None:
    made = task(folder, **adversarial(folder, texture_weight=0.1, train_decoder=True))
    *others, student = made.optimiser_steps(BATCH, Noise(seed=0, step=0))
    assert [step.trainable for step in others] == ["discriminator", "patch_discriminator"] == list(made.trainables)[1:]
    assert {"adversarial", "texture"} <= set(student.terms)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr_encoder": "student.safetensors"}, "holds a network of kind 'unet'"),
        ({"lr_encoder": "other_lr_encoder.safetensors"}, "for latents of 5 channels, not 3"),
        ({"student": "lr_encoder.safetensors"}, "needed is unet or swin_unet"),
        ({"steps": 0}, "--steps 0: give 1 or more"),
        ({"lambda_2": 0.1}, "--lambda.2: the discriminator reads the teacher's features; give --teacher"),
        ({"interpolation": 0.5, "lr_encoder": None}, "--interpolation 0.5: .* give --lr.encoder too"),
        ({"interpolation": 1.5}, "--interpolation 1.5: give 0"),
    ],
)
def test_mistakes_are_one_line(changed: dict[str, object], message: str, folder: Path, tmp_path: Path) -> None:
    full = {k: folder / v if isinstance(v, str) else v for k, v in changed.items()}
    with pytest.raises(TrainError, match=message) as caught:
        finetune.main(arguments(folder, tmp_path / "o", **full))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists()
