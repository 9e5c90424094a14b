"""ResShift's networks in every trainer: from official checkpoints to a full-size or a mobile student, and evaluated."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.shared import shared
from tests.tiny import (
    SWIN,
    VQ,
    write_networks,
    write_official,
    write_official_networks,
    write_photos,
    write_reduced_preset,
)
from train import autoencoder, distill, official, teacher
from train.diffusion.latents import scale_of
from train.distill import DistillSettings, DistillTask
from train.engine.checkpoints import describe, load_autoencoder, load_unet, save_network
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.settings import parse, preset_model
from train.engine.sources import training_data
from train.evaluation.predictors import SamplingOptions, open_predictor
from train.finetuning.settings import FinetuneSettings
from train.finetuning.task import FinetuneTask
from train.networks.discriminator import Discriminator, DiscriminatorConfig
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder, VQConfig
from train.teacher import TeacherSettings

PUBLISHED = {
    "reference": ("swinunet_realsr_x4_s15", "vq_f4_autoencoder", 4),
    "face": ("swinunet_faceir512_s4", "vq_f8_dim8_face512_autoencoder", 1),
}
SIMPLE = ("--score=none", "--discriminator=none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a user brings: preset, photos, official files; and our own of another preset in mobile/."""
    folder = tmp_path_factory.mktemp("reference")
    write_reduced_preset(folder / "reference.yaml", "reference", crop=64)
    write_photos(folder / "photos")
    write_official(folder, "reference")
    (folder / "mobile").mkdir()
    write_networks(folder / "mobile")
    return folder


def arguments(folder: Path, **given: object) -> list[str]:
    options: dict[str, object] = {"preset": folder / "reference.yaml", "photos": folder / "photos", "out": folder / "o"}
    options |= {"autoencoder": folder / "autoencoder.pth", "teacher": folder / "teacher.pth"}
    options |= {"steps": 2, "batch": 2, "workers": 0, "precision": "32-true"} | given
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def task(folder: Path, **given: object) -> DistillTask:
    return DistillTask(parse(DistillSettings, "train.distill", "", arguments(folder, **given)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_are_the_official_constructors_arguments(name: str) -> None:
    unet, vq, scale = PUBLISHED[name]
    folder, model = shared("reference/resshift_keys"), preset_model(name)
    arguments = {file: json.loads((folder / f"{file}.json").read_text())["config"] for file in (unet, vq)}
    assert model.family_teacher == SwinUNetConfig.from_official(arguments[unet])
    assert model.family_autoencoder == VQConfig.from_official(arguments[vq])
    assert model.scale == scale


def test_reference_preset_is_the_papers_recipe() -> None:
    settings = parse(DistillSettings, "train.distill", "", ["--preset=reference", "--photos=p", "--out=o"])
    assert (settings.student, settings.objective, settings.score) == ("same", "tadsr", "hsd")
    assert (settings.discriminator, settings.lambda_1, settings.lambda_2) == ("time-aware", 1.0, 0.02)
    assert (settings.steps, settings.batch, settings.lr, settings.ema) == (30_000, 64, 5e-5, 0.999)
    assert (settings.warmup, settings.final_lr, settings.weight_decay) == (1000, 1.0, 0.0)
    assert (settings.data.crop, settings.data.augment) == (256, "flip")
    assert (settings.model.diffusion.steps, settings.model.diffusion.min_noise) == (15, 0.04)


def test_reference_discriminator_has_3_58_million_weights_on_four_scales() -> None:
    with torch.device("meta"):
        network = SwinUNet(SwinUNetConfig())
        maps = network.features(
            torch.zeros(1, 3, 64, 64), torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3, 64, 64), None
        )
        heads = Discriminator(network.feature_widths, DiscriminatorConfig())
    assert [tuple(x.shape[1:]) for x in maps] == [(160, 64, 64), (320, 32, 32), (320, 16, 16), (640, 8, 8)]
    assert sum(parameter.numel() for parameter in heads.parameters()) == 3_582_276


@pytest.mark.parametrize(("blocks", "ends"), [(1, (1, 3)), ((2, 1), (2, 4)), (3, (3, 7))])
def test_features_are_the_last_block_of_every_level(blocks: int | tuple[int, ...], ends: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = SwinUNet(replace(SWIN, num_res_blocks=blocks)).eval()
    z_t, lq, t = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16), torch.tensor([0, 3])
    with torch.no_grad():
        outputs, features = network.encoder_features(z_t, t, lq), network.features(z_t, t, lq)
    assert [x.shape[1] for x in features] == list(network.feature_widths)
    assert all(torch.equal(x, outputs[end]) for x, end in zip(features, ends, strict=True))


@pytest.mark.parametrize("network", [SwinUNet(SWIN), VQAutoencoder(VQ)])
def test_files_of_resshifts_networks_rebuild_them(network: torch.nn.Module, tmp_path: Path) -> None:
    extra = {"diffusion": {"steps": 4}, "sampling": {"steps": 4}}
    save_network(tmp_path / "n.safetensors", network.state_dict(), describe(network, **extra))
    loaded: torch.nn.Module
    if isinstance(network, SwinUNet):
        loaded, _ = load_unet(tmp_path / "n.safetensors")
    else:
        loaded = load_autoencoder(tmp_path / "n.safetensors")
    assert loaded.config == network.config
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_student_of_the_same_shape_starts_as_the_teachers_copy_and_learns_alone(folder: Path) -> None:
    made = task(folder)
    student, teacher = made.trainables["student"].network, made.teacher
    assert isinstance(student, SwinUNet)
    assert all(torch.equal(value, teacher.state_dict()[name]) for name, value in student.state_dict().items())
    batch = {"hq": torch.rand(2, 3, 64, 64), "lq": torch.rand(2, 3, 16, 16)}
    for turn in made.optimiser_steps(batch, Noise(seed=0, step=0)):
        torch.stack(list(turn.terms.values())).sum().backward()
    assert turn.terms.keys() == {"distill", "score", "adversarial"}
    assert any(parameter.grad is not None for parameter in student.parameters())
    for frozen in (teacher, made.autoencoder):
        assert not any(parameter.requires_grad or parameter.grad is not None for parameter in frozen.parameters())


def test_official_weights_are_distilled_into_a_full_size_student(folder: Path) -> None:
    distill.main(arguments(folder, out=folder / "same"))
    student, sampling = load_unet(folder / "same/student.safetensors")
    assert isinstance(student, SwinUNet)
    assert (sampling.steps, sampling.diffusion.steps) == (1, 15)
    losses = [json.loads(line) for line in (folder / "same/losses.jsonl").read_text().splitlines()]
    assert losses[-1]["step"] == 1
    assert {"distill", "score", "adversarial", "discriminator"} <= losses[-1].keys()


@pytest.mark.slow
def test_a_step_at_full_size_starts_from_official_files(tmp_path: Path) -> None:
    """118.6 and 55.3 million weights in the official layout, one picture of 256 pixels, all 15 steps of the teacher."""
    write_official_networks(tmp_path, SwinUNetConfig(), VQConfig())
    files = [f"--{part}={tmp_path / part}.pth" for part in ("teacher", "autoencoder")]
    settings = parse(DistillSettings, "train.distill", "", ["--preset=reference", "--photos=p", "--out=o", *files])
    made = DistillTask(settings)
    batch = {"hq": torch.rand(1, 3, 256, 256), "lq": torch.rand(1, 3, 64, 64)}
    for turn in made.optimiser_steps(batch, Noise(seed=0, step=0)):
        torch.stack(list(turn.terms.values())).sum().backward()
        assert all(torch.isfinite(term) for term in turn.terms.values())
    gradients = [parameter.grad for parameter in made.trainables["student"].network.parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


def test_official_weights_are_distilled_into_a_mobile_student(folder: Path) -> None:
    start = folder / "vanilla"
    distill.main([*arguments(folder, out=start, student="mobile"), *SIMPLE])
    adversarial = arguments(folder, out=folder / "tad", student="mobile", init=start / "student.safetensors")
    distill.main(adversarial)
    student, _ = load_unet(folder / "tad/student.safetensors")
    assert isinstance(student, UNet)
    assert student.latent_channels == 3


def test_converted_files_evaluate_with_any_number_of_steps(folder: Path) -> None:
    for part in ("teacher", "autoencoder"):
        options = [f"--preset={folder / 'reference.yaml'}", f"--as={part}", "-o", str(folder / f"{part}.safetensors")]
        official.main([str(folder / f"{part}.pth"), *options])
    converted, sampling = load_unet(folder / "teacher.safetensors")
    assert sampling.steps == 15
    direct = task(folder).teacher.state_dict()
    assert all(torch.equal(value, direct[name]) for name, value in converted.state_dict().items())
    again = task(folder, **{part: folder / f"{part}.safetensors" for part in ("teacher", "autoencoder")})
    assert scale_of(again.autoencoder, again.teacher) == 4
    lr = np.random.default_rng(0).integers(0, 256, (20, 9, 3), dtype=np.uint8)
    results = [
        open_predictor(folder / "teacher.safetensors", SamplingOptions(steps=n)).predict(lr, None) for n in (1, 3, None)
    ]
    assert {result.shape for result in results} == {(80, 36, 3)}
    assert len({result.tobytes() for result in results}) == 3
    hr = np.random.default_rng(0).integers(0, 256, (82, 37, 3), dtype=np.uint8)
    assert open_predictor(folder / "autoencoder.safetensors").predict(lr, hr).shape == hr.shape


def test_a_teacher_is_trained_from_nothing_in_vq_latents(folder: Path) -> None:
    teacher.main(arguments(folder, out=folder / "teaching", teacher=None))
    trained, sampling = load_unet(folder / "teaching/teacher.safetensors")
    assert isinstance(trained, SwinUNet)
    assert sampling.steps == 15
    assert trained.out[2].weight.abs().max() > 0


def test_the_vq_autoencoder_is_not_trained_here(folder: Path) -> None:
    with pytest.raises(TrainError, match=r"give its official \.pth with --autoencoder"):
        autoencoder.main(arguments(folder, autoencoder=None, teacher=None))


def test_folding_is_told_the_preset_of_its_autoencoder(folder: Path, tmp_path: Path) -> None:
    resshift = VQAutoencoder(VQ)
    save_network(tmp_path / "vq.safetensors", resshift.state_dict(), describe(resshift))
    paths = {"student": folder / "mobile/student.safetensors", "autoencoder": tmp_path / "vq.safetensors"}
    argv = [f"--photos={folder / 'photos'}", "--out=o", *(f"--{name}={path}" for name, path in paths.items())]
    settings = parse(FinetuneSettings, "train.finetune", "", argv)
    with pytest.raises(TrainError, match="it is VQAutoencoder, and the preset is of the mobile family"):
        FinetuneTask(settings, training_data(settings))


class Trap:
    """Unpickled by a careless loader, it raises."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return pickle.loads, ("run",)


def test_files_of_another_network_are_one_line(folder: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "trap": Trap()}, tmp_path / "trap.pth")
    mobile = folder / "mobile"
    faults: list[tuple[str, Path, str]] = [
        ("teacher", mobile / "teacher.safetensors", "it is UNet, and the preset is of the resshift family"),
        ("autoencoder", mobile / "autoencoder.safetensors", "it is Autoencoder, and the preset is of the resshift"),
        ("teacher", mobile / "autoencoder.safetensors", "needed is unet or swin_unet"),
        ("teacher", folder / "autoencoder.pth", "does not fit SwinUNet"),
        ("autoencoder", folder / "teacher.pth", "does not fit VQAutoencoder"),
        ("teacher", tmp_path / "trap.pth", "nothing in it was run"),
        ("teacher", tmp_path / "missing.pth", "no such file"),
        ("init", folder / "teacher.pth", "make a .safetensors of it with `python -m train.official`"),
        ("init", mobile / "student.safetensors", "a network of other sizes"),
    ]
    for option, path, message in faults:
        with pytest.raises(TrainError, match=re.escape(message)) as caught:
            task(folder, **{option: path})
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_commands_end_with_code_2_and_no_traceback(folder: Path) -> None:
    argv = arguments(folder, teacher=folder / "mobile/teacher.safetensors")
    command = [sys.executable, "-m", "train.distill", *argv]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {folder / 'mobile/teacher.safetensors'}: the network in it is UNet")


def test_teacher_and_autoencoder_of_two_latent_spaces_are_refused(folder: Path) -> None:
    with pytest.raises(TrainError, match="give the two that belong together"):
        task(folder, teacher=_other_teacher(folder))


def _other_teacher(folder: Path) -> Path:
    network = SwinUNet(replace(SWIN, in_channels=8, out_channels=8))
    extra = {"diffusion": {"steps": 4}, "sampling": {"steps": 4}}
    save_network(folder / "eight.safetensors", network.state_dict(), describe(network, **extra))
    return folder / "eight.safetensors"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data.crop=96", "give a multiple of 64"),
        ("--model.swin_unet.num_res_blocks 1 1 1", r"--model\.swin_unet: 2 widths and 3 blocks"),
        ("--model.vq.ddconfig.num_res_blocks 1 1", r"--model\.vq\.ddconfig: 3 widths and 2 blocks"),
        ("--model.swin_unet.image_size=9", "give a multiple of 2"),
        ("--model.swin_unet.lq_size=40", "must be image_size=16 times a power of two"),
        ("--model.swin_unet.cond_mask=true", "inpainting is not trained here"),
        ("--degradation.kind=gfpgan", "these networks enlarge by 4"),
    ],
)
def test_sizes_that_cannot_work_are_refused_before_the_work(option: str, message: str, folder: Path) -> None:
    with pytest.raises(TrainError, match=message):
        parse(DistillSettings, "train.distill", "", [*arguments(folder), *option.split()])


@pytest.mark.parametrize("option", ["--model.swin_unet.model_channels=40", "--model.vq.ddconfig.ch=40"])
def test_widths_that_no_group_norm_takes_are_one_line(option: str, folder: Path) -> None:
    settings = parse(TeacherSettings, "train.teacher", "", [*arguments(folder, teacher=None), option])
    with pytest.raises(TrainError, match="of these sizes cannot be built"):
        teacher.TeacherTask(settings)
