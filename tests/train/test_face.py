"""Faces: their degradation piece by piece, and a teacher and a student trained at the size of what they restore."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.shared import shared
from tests.tiny import write_official, write_photos, write_reduced_preset
from train import distill, official, teacher
from train.data.crops import CropDataset, CropSettings
from train.data.degradation import DegradationSettings, FaceSettings, degraded_pair
from train.data.degradation import face as faces
from train.diffusion.latents import condition
from train.distill import DistillSettings, DistillTask
from train.engine.checkpoints import load_unet
from train.engine.errors import TrainError
from train.engine.settings import parse
from train.evaluation.predictors import SamplingOptions, open_predictor
from train.networks.swin_unet import SwinUNet

GFPGAN = DegradationSettings(kind="gfpgan")


def picture(side: int = 64, seed: int = 0) -> Tensor:
    return torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))


def pair(seed: int, chosen: FaceSettings, hq: Tensor | None = None) -> tuple[Tensor, Tensor]:
    hq = picture() if hq is None else hq
    return degraded_pair(hq, np.random.default_rng(seed), replace(GFPGAN, face=chosen), 1)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), height=st.integers(24, 70), width=st.integers(24, 70))
def test_the_degraded_face_has_the_size_and_levels_of_a_picture(seed: int, height: int, width: int) -> None:
    hq = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    same, lq = degraded_pair(hq, np.random.default_rng(seed), GFPGAN, 1)
    assert lq.shape == hq.shape
    assert lq.dtype == torch.float32
    assert torch.equal(lq, (lq * 255).round() / 255)
    assert 0 <= lq.min() <= lq.max() <= 1
    again = degraded_pair(hq, np.random.default_rng(seed), GFPGAN, 1)
    assert torch.equal(again[0], same)
    assert torch.equal(again[1], lq)


def test_steps_come_in_gfpgans_order(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name in ("filter2d", "resize", "gaussian_noise", "jpeg"):
        real = getattr(faces, name)
        monkeypatch.setattr(faces, name, lambda *a, _real=real, _name=name, **k: called.append(_name) or _real(*a, **k))
    pair(0, FaceSettings())
    assert called == ["filter2d", "resize", "gaussian_noise", "jpeg", "resize"]


def test_the_strongest_reduction_leaves_little_and_the_weakest_nearly_all() -> None:
    nothing_else = FaceSettings(sigma=(0.1, 0.1), noise_sigma=(0.0, 0.0), jpeg_quality=(99.0, 99.1), grey_prob=0.0)
    hq = torch.nn.functional.interpolate(picture(16)[None], size=(64, 64), mode="bilinear")[0]
    errors = [
        (pair(0, replace(nothing_else, reduction=(reduction, reduction)), hq)[1] - hq).abs().mean()
        for reduction in (1.0, 4.0, 32.0)
    ]
    assert errors[0] < 0.05  # of this colourful noise, JPEG's halved chroma
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("isotropic_prob", [0.0, 1.0])
def test_kernels_are_round_or_ellipses_of_41_pixels(isotropic_prob: float) -> None:
    chosen = FaceSettings(isotropic_prob=isotropic_prob, sigma=(2.0, 6.0))
    kernel = faces._blur(np.random.default_rng(3), chosen)
    assert kernel.shape == (41, 41)
    assert np.allclose(kernel, kernel.T) == bool(isotropic_prob)


def test_gray_faces_are_gray_on_both_sides() -> None:
    hq, lq = pair(0, FaceSettings(grey_prob=1.0))
    for side in (hq, lq):
        assert torch.equal(side[0], side[1])
        assert torch.equal(side[0], side[2])
    coloured, _ = pair(0, FaceSettings(grey_prob=0.0))
    assert torch.equal(coloured, picture())


def test_faces_are_mirrored_but_never_turned(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", count=1, side=64)
    photo = [tmp_path / "photos/0.png"]
    whole = CropSettings(crop=64, synthetic_prob=0.0, reduce_prob=0.0)
    seen = {
        augment: {
            CropDataset(photo, replace(whole, augment=augment), seed=0)[i]["hq"].numpy().tobytes() for i in range(60)
        }
        for augment in ("dihedral", "flip")
    }
    assert {augment: len(pictures) for augment, pictures in seen.items()} == {"dihedral": 8, "flip": 2}
    assert seen["flip"] < seen["dihedral"]


def test_face_preset_is_the_papers_recipe_on_four_steps() -> None:
    made = parse(DistillSettings, "train.distill", "", ["--preset=face", "--photos=p", "--out=o"])
    assert (made.lambda_1, made.lambda_2, made.student) == (0.1, 0.2, "same")
    assert (made.model.diffusion.steps, made.model.diffusion.min_noise, made.model.scale) == (4, 0.2, 1)
    assert (made.data.crop, made.data.augment, made.degradation.kind) == (512, "flip", "gfpgan")
    assert made.degradation.face == FaceSettings()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("face")
    write_photos(folder / "photos", side=160)
    write_official(folder, "face")
    return folder


def arguments(folder: Path, photos: Path, crop: int, out: str, **given: object) -> list[str]:
    preset = write_reduced_preset(folder / f"face{crop}.yaml", "face", crop)
    options: dict[str, object] = {"preset": preset, "photos": photos, "out": folder / out}
    options |= {"autoencoder": folder / "autoencoder.pth", "steps": 2, "batch": 2, "workers": 0} | given
    return [f"--{name}={value}" for name, value in options.items()]


def train_both(folder: Path, photos: Path, crop: int) -> SwinUNet:
    """Teacher, then student of its shape -> the student."""
    for main, out, options in (
        (teacher.main, f"teacher{crop}", {}),
        (distill.main, f"student{crop}", {"teacher": folder / f"teacher{crop}/teacher.safetensors"}),
    ):
        main(arguments(folder, photos, crop, out, **options))
    student, sampling = load_unet(folder / f"student{crop}/student.safetensors")
    assert (sampling.steps, sampling.diffusion.steps) == (1, 4)
    assert isinstance(student, SwinUNet)
    return student


def test_teacher_and_student_of_faces_are_trained_end_to_end(folder: Path) -> None:
    student = train_both(folder, folder / "photos", 128)
    assert student.config.lq_factor == 8
    options = SamplingOptions(folder / "autoencoder.safetensors")
    run = ["--as=autoencoder", f"--preset={folder / 'face128.yaml'}", "-o", str(options.autoencoder)]
    official.main([str(folder / "autoencoder.pth"), *run])
    lr = np.random.default_rng(0).integers(0, 256, (130, 70, 3), dtype=np.uint8)
    assert open_predictor(folder / "student128/student.safetensors", options).predict(lr, None).shape == lr.shape


@pytest.mark.slow
def test_teacher_and_student_are_trained_on_real_faces(folder: Path) -> None:
    """At the preset's own size of 512 pixels; only the networks are narrower."""
    train_both(folder, shared("data/train_faces"), 512)


def test_conditions_of_faces_have_full_size_pixels_and_an_eighth_of_it_as_latents(folder: Path) -> None:
    argv = arguments(folder, folder / "photos", 128, "o")
    made = DistillTask(parse(DistillSettings, "train.distill", "", [*argv, f"--teacher={folder / 'teacher.pth'}"]))
    given = condition(made.autoencoder, torch.rand(1, 3, 128, 128), made.scale)
    assert given.lq.shape == (1, 3, 128, 128)
    assert given.z_y.shape == (1, 8, 16, 16)


def test_a_mobile_student_does_not_take_full_size_pixels(folder: Path) -> None:
    argv = arguments(folder, folder / "photos", 128, "o", student="mobile")
    made = parse(DistillSettings, "train.distill", "", [*argv, f"--teacher={folder / 'teacher.pth'}"])
    with pytest.raises(TrainError, match="give --student same"):
        DistillTask(made)
