"""The evaluation command over every kind of model, on pictures that the test draws."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from tests.tiny import write_networks, write_photos
from train import evaluate
from train.data.synthetic import draw_synthetic
from train.engine.errors import TrainError
from train.evaluation.pairs import find_pairs
from train.evaluation.predictors import SamplingOptions, open_predictor
from train.publish import publish


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for side in ("HR", "LR"):
        (folder / side).mkdir()
    for i in range(2):
        hr = Image.fromarray(draw_synthetic(np.random.default_rng(i), 128))
        hr.save(folder / "HR" / f"{i}.png")
        hr.resize((32, 32), Image.Resampling.BICUBIC).save(folder / "LR" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_networks(tmp_path_factory.mktemp("networks"))


def test_command_scores_every_kind_of_model(
    data: Path, networks: Path, toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [networks / "autoencoder.safetensors", networks / "teacher.safetensors", toy_bundle]
    evaluate.main([*map(str, [data, *models]), "--json", "--save", str(tmp_path)])
    rows = json.loads(capsys.readouterr().out)
    assert list(rows) == ["bicubic", *map(str, models[:2]), f"{toy_bundle}, fp32", "HR"]
    assert rows["HR"]["mean"]["ssim_y"] == 1
    assert all(row["pictures"].keys() == {"0.png", "1.png"} for row in rows.values())
    assert Image.open(next(tmp_path.glob("*teacher.safetensors")) / "1.png").size == (128, 128)


def test_a_bundle_is_scored_in_each_of_its_precisions() -> None:
    lr = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    models = evaluate.open_models("shipped", runtime.DEFAULT_BUNDLE, SamplingOptions())
    assert list(models) == ["shipped, fp32", "shipped, int8"]
    pictures = [next(model([("a.png", lr, None)]))[1] for model in models.values()]
    assert not np.array_equal(*pictures)


def test_finished_pictures_are_found_by_name(data: Path, tmp_path: Path) -> None:
    pairs = find_pairs(data)
    for name, _, hr in pairs:
        assert hr is not None
        Image.fromarray(hr).save((tmp_path / name).with_suffix(".webp"), lossless=True)
    (model,) = evaluate.open_models("theirs", tmp_path, SamplingOptions()).values()
    assert all(np.array_equal(sr, hr) for _, sr, hr, _ in model(pairs) if hr is not None)
    (tmp_path / "1.webp").unlink()
    with pytest.raises(TrainError, match=r"has no picture 1; it needs one for each of 2 pairs"):
        list(model(pairs))


def test_more_steps_are_another_picture_and_a_seed_repeats_it(networks: Path) -> None:
    lr = np.random.default_rng(0).integers(0, 256, (10, 7, 3), dtype=np.uint8)
    results = [
        open_predictor(networks / "teacher.safetensors", SamplingOptions(steps=steps, seed=seed)).predict(lr, None)
        for steps, seed in ((1, 0), (2, 0), (None, 0), (4, 0), (4, 1))
    ]
    assert {result.shape for result in results} == {(40, 28, 3)}
    assert np.array_equal(results[2], results[3])
    distinct = {result.tobytes() for result in results}
    assert len(distinct) == 4


def test_impossible_steps_and_strange_files_are_one_line_errors(networks: Path, tmp_path: Path) -> None:
    for network, steps in (("teacher", 9), ("student", 9), ("teacher", 0), ("student", -1)):
        with pytest.raises(TrainError, match=rf"{network}\.safetensors: {steps} sampling steps .*ask 1 to 4"):
            open_predictor(networks / f"{network}.safetensors", SamplingOptions(steps=steps))
    with pytest.raises(TrainError, match=r"\.tadsr, \.pt2, \.safetensors"):
        open_predictor(tmp_path / "model.pth")


def test_missing_autoencoder_is_said(networks: Path, tmp_path: Path) -> None:
    alone = publish(networks / "teacher.safetensors", tmp_path)
    with pytest.raises(TrainError, match="name it with --autoencoder"):
        open_predictor(alone)
    open_predictor(alone, SamplingOptions(autoencoder=networks / "autoencoder.safetensors"))


def test_published_networks_are_half_the_size(networks: Path, tmp_path: Path) -> None:
    before = (networks / "teacher.safetensors").stat().st_size
    assert publish(networks / "teacher.safetensors", tmp_path).stat().st_size < 0.7 * before


def test_pairs_must_fit(data: Path, tmp_path: Path) -> None:
    for side, size in (("HR", 100), ("LR", 32)):
        (tmp_path / side).mkdir()
        Image.new("RGB", (size, size)).save(tmp_path / side / "a.png")
    with pytest.raises(TrainError, match="not 4 times its LR picture"):
        find_pairs(tmp_path)
    (tmp_path / "HR" / "a.png").unlink()
    with pytest.raises(TrainError, match="needs one of the same name"):
        find_pairs(tmp_path)


def test_a_plain_folder_has_no_references(data: Path) -> None:
    assert [hr for _, _, hr in find_pairs(data / "LR")] == [None, None]


def test_user_mistakes_exit_with_code_2(tmp_path: Path, toy_bundle: Path) -> None:
    command = [sys.executable, "-m", "train.evaluate", str(tmp_path / "missing"), str(toy_bundle)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "missing" in done.stderr


def test_pairs_of_one_size_are_those_of_faces(tmp_path: Path) -> None:
    for side in ("HR", "LR"):
        write_photos(tmp_path / side, count=1)
    assert [hr is not None and lr.shape == hr.shape for _, lr, hr in find_pairs(tmp_path)] == [True]
