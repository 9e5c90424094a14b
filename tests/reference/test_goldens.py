"""``tests.reference`` passes on the official numbers and on a folder with other settings, and notices what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tadsr import commands
from tests.reference import Line, check_folder
from tests.reference.__main__ import COMMITTED, main, render
from tests.reference.folder import GoldenFolder
from tests.reference.generated_goldens import write_goldens
from tests.reference.select_goldens import LIMIT, SELECTION, select
from tests.shared import shared
from train.engine.errors import TrainError
from train.networks import swin
from train.networks.norm import GroupNorm


def failures(folder: Path) -> list[str]:
    return [f"{line.file}: {line.finding.what}" for line in check_folder(GoldenFolder(folder)) if not line.finding.ok]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_goldens(tmp_path_factory.mktemp("goldens") / "generated")


@pytest.fixture
def copied(generated: Path, tmp_path: Path) -> Path:
    return shutil.copytree(generated, tmp_path / "copy")


def official_copy(tmp_path: Path, *names: str) -> Path:
    """A folder with some of the official numbers."""
    folder = tmp_path / "official"
    folder.mkdir()
    for name in ("meta.json", *names):
        shutil.copyfile(COMMITTED / name, folder / name)
    return folder


@pytest.mark.parametrize("selection", ["committed", "all"])
def test_the_official_numbers_are_reproduced(selection: str) -> None:
    folder = COMMITTED if selection == "committed" else shared("reference/golden")
    assert failures(folder) == []
    checked = {line.file for line in check_folder(GoldenFolder(folder))}
    expected = {path.name for path in folder.iterdir() if "_weights" not in path.name and path.suffix != ".md"}
    assert checked == expected


def test_the_committed_numbers_are_a_selection_of_all(tmp_path: Path) -> None:
    assert {path.name for path in COMMITTED.iterdir()} == {*SELECTION, "README.md"}
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) <= LIMIT
    select(shared("reference/golden"), tmp_path)
    assert [name for name in SELECTION if (tmp_path / name).read_bytes() != (COMMITTED / name).read_bytes()] == []


def test_a_folder_with_other_settings_is_reproduced(generated: Path) -> None:
    lines = list(check_folder(GoldenFolder(generated)))
    assert [line for line in lines if not line.finding.ok or line.finding.note] == []
    assert {line.file for line in lines} == {path.name for path in generated.iterdir()}


def _shift(name: str, key: str, by: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        tensors = load_file(folder / name)
        tensors[key].view(-1)[0] += by
        save_file(tensors, folder / name)

    return change


def _edit(*keys: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        meta = json.loads((folder / "meta.json").read_text())
        place = meta
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        (folder / "meta.json").write_text(json.dumps(meta))

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_shift("unet_io.safetensors", "out", 1e-3), "unet_io.safetensors: out"),
        (_shift("unet_mask_io.safetensors", "one.mask", 1.0), "unet_mask_io.safetensors: one.out"),
        (_shift("autoencoder_io.safetensors", "indices", 1), "autoencoder_io.safetensors: indices"),
        (_shift("trajectory_resshift_s6.safetensors", "means", 1e-2), "trajectory_resshift_s6.safetensors: means"),
        (_shift("hsd_reference_s6.safetensors", "bracket", 1e-2), "hsd_reference_s6.safetensors: bracket"),
        (_shift("training_loss_s6.safetensors", "mse", float("nan")), "training_loss_s6.safetensors: mse"),
        (_shift("tiling.safetensors", "merged", 0.5), "tiling.safetensors: merged"),
        (_edit("unet", "sha256", value="0" * 64), "meta.json: unet: sha256 of the weights"),
        (_edit("unet", "total_params", value=1), "meta.json: unet: parameters"),
        (_edit("diffusion", "s6", "kappa", value=1.4), "schedule_s6.npz: input_std"),
        (_edit("diffusion", "s6", "predict_type", value="epsilon"), "schedule_s6.npz: cannot be checked"),
        (_edit("unet", "config", "windw_size", value=4), "unet_io.safetensors: cannot be checked"),
    ],
)
def test_every_kind_of_deviation_is_found(change: Callable[[Path], None], expected: str, copied: Path) -> None:
    change(copied)
    assert expected in failures(copied)


def test_the_group_norms_epsilon_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = official_copy(tmp_path, "unet_small_io.safetensors", "autoencoder_small_io.safetensors")
    build = GroupNorm.__init__
    swapped = {1e-5: 1e-6, 1e-6: 1e-5}
    monkeypatch.setattr(GroupNorm, "__init__", lambda self, channels, eps: build(self, channels, swapped[eps]))
    found = failures(folder)
    for name in ("unet_small_io.safetensors: native.out", "autoencoder_small_io.safetensors: z"):
        assert name in found


def test_a_missing_mask_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = official_copy(tmp_path, "unet_small_io.safetensors")
    monkeypatch.setattr(swin, "last_row_mask", lambda window, shift: torch.zeros(window**2, window**2))
    assert "unet_small_io.safetensors: wide.out" in failures(folder)


def test_arrays_that_nobody_checks_are_named(copied: Path) -> None:
    with np.load(copied / "schedule_s6.npz") as stored:
        arrays = dict(stored)
    np.savez(copied / "schedule_s6.npz", **arrays, snr=np.ones(6))
    notes = [render(line) for line in check_folder(GoldenFolder(copied)) if line.finding.note]
    assert notes == ["--    schedule_s6.npz: snr: no check for this"]


@pytest.mark.parametrize(
    ("prepare", "code", "last"),
    [
        (lambda folder: None, 0, "checks passed"),
        (_shift("tiling.safetensors", "merged", 0.5), 1, "1 of "),
        (lambda folder: (folder / "meta.json").unlink(), 2, "cannot be read"),
    ],
)
def test_exit_codes(
    prepare: Callable[[Path], object],
    code: int,
    last: str,
    copied: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(copied)
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda: main(["--golden", str(copied)]))
    assert int(ended.value.code or 0) == code
    said = capsys.readouterr()
    assert last in (said.out + said.err).strip().splitlines()[-1]


def test_a_folder_without_goldens_is_refused(copied: Path) -> None:
    for path in copied.glob("*.*z*"):
        path.unlink()
    for path in copied.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(TrainError, match="nothing to check"):
        list(check_folder(GoldenFolder(copied)))


def test_a_line_says_how_far_off_it_is(copied: Path) -> None:
    _shift("tiling.safetensors", "merged", 0.5)(copied)
    lines: list[Line] = [line for line in check_folder(GoldenFolder(copied)) if not line.finding.ok]
    assert render(lines[0]).split() == [
        *("FAIL", "tiling.safetensors:", "merged", "error", "5.0e-01", "tolerance"),
        render(lines[0]).split()[-1],
    ]
