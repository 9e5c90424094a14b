"""Samples of the teacher on disk stand in for photos and for sampling."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.tiny import write_networks, write_photos, write_preset
from train.data.teacher_samples import DESCRIPTION, TeacherSamples, samples_file
from train.diffusion import process
from train.diffusion.latents import condition
from train.distill import DistillSettings, DistillTask, distillation_data
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.settings import parse
from train.engine.sources import seen_licences, training_data
from train.sample_teacher import write_samples


def settings(folder: Path, stage: str, *more: str) -> DistillSettings:
    weights = [f"--{name}={folder / name}.safetensors" for name in ("autoencoder", "teacher")]
    common = ["--preset", str(folder / "tiny.yaml"), "--workers=0", "--precision=32-true", *weights]
    return parse(DistillSettings, f"train.{stage}", "", [*common, *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos")
    write_networks(folder)
    write_samples(sampling(folder))
    return folder


def sampling(folder: Path, *more: str) -> DistillSettings:
    out = (f"--photos={folder / 'photos'}", f"--out={folder / 'samples'}")
    return settings(folder, "sample_teacher", "--steps=3", "--batch=2", *out, *more)


def distilling(folder: Path, *more: str) -> DistillSettings:
    out = (f"--photos={folder / 'samples'}", f"--out={folder / 'run'}")
    return settings(folder, "distill", "--steps=2", "--batch=2", *out, *more)


def test_every_sample_is_the_teachers_answer_to_its_noise(folder: Path) -> None:
    task = DistillTask(distilling(folder))
    samples = TeacherSamples(folder / "samples", seed=0)
    for index in range(len(samples)):
        sample = {name: value[None] for name, value in samples[index].items()}
        given = condition(task.autoencoder, sample["lq"], task.scale)
        z_T = process.prior_sample(task.schedule, given.z_y, sample["noise"])
        torch.testing.assert_close(sample["teacher_z_0"], task.sample_teacher(given, z_T), rtol=2e-3, atol=2e-3)


def test_every_epoch_holds_every_sample_once_in_its_own_order(folder: Path) -> None:
    samples = TeacherSamples(folder / "samples", seed=1)
    epochs = [[samples[e * len(samples) + i]["noise"].sum().item() for i in range(len(samples))] for e in range(4)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs[0])) == len(samples) == 6
    assert any(a != b for a, b in itertools.pairwise(epochs))
    assert torch.equal(samples[7]["noise"], TeacherSamples(folder / "samples", seed=1)[7]["noise"])


def test_distillation_reads_them_without_sampling(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the teacher was sampled")

    monkeypatch.setattr(DistillTask, "sample_teacher", refuse)
    chosen = distilling(folder)
    assert train(DistillTask(chosen), chosen, distillation_data(chosen)).steps == 2


def test_a_stopped_command_goes_on_where_it_was(folder: Path) -> None:
    last = samples_file(folder / "samples", 2)
    before = last.read_bytes()
    last.unlink()
    with pytest.raises(TrainError, match="1 of 3 files are not there yet"):
        TeacherSamples(folder / "samples", seed=0)
    untouched = samples_file(folder / "samples", 0).stat().st_mtime_ns
    write_samples(sampling(folder))
    assert last.read_bytes() == before
    assert samples_file(folder / "samples", 0).stat().st_mtime_ns == untouched


def test_samples_made_with_the_names_of_earlier_versions_are_gone_on_with(folder: Path) -> None:
    path = folder / "samples" / DESCRIPTION
    now = path.read_text()
    description = json.loads(now)
    description["data"]["drawn_share"] = description["data"].pop("synthetic_prob")
    description["degradation"]["face"]["gray_prob"] = description["degradation"]["face"].pop("grey_prob")
    path.write_text(json.dumps(description))
    write_samples(sampling(folder))
    assert path.read_text() == now


def test_samples_of_other_settings_are_not_overwritten(folder: Path) -> None:
    with pytest.raises(TrainError, match="other settings"):
        write_samples(sampling(folder, "--seed=5"))


def test_another_teachers_samples_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "student.safetensors", tmp_path / "teacher.safetensors")
    with pytest.raises(TrainError, match="another teacher"):
        distillation_data(distilling(folder, f"--teacher={tmp_path / 'teacher.safetensors'}"))


def test_samples_from_another_start_are_refused(folder: Path) -> None:
    with pytest.raises(TrainError, match="leave out --paper"):
        distillation_data(distilling(folder, "--paper.z_T=forward"))


def test_free_licences_hold_for_samples_too(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "samples", tmp_path / "samples")
    given = f"--photos={tmp_path / 'samples'}"
    with pytest.raises(TrainError, match="samples of photos of all licences; make them again with --licences free"):
        training_data(distilling(folder, given, "--licences=free"))
    description = tmp_path / "samples" / DESCRIPTION
    description.write_text(description.read_text().replace('"licences": "all"', '"licences": "free"'))
    assert len(training_data(distilling(folder, given, "--licences=free"))) == 6  # type: ignore[arg-type]
    assert seen_licences(distilling(folder, given)) == "free"
