import json
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from apps.benchmarks import training_time
from apps.errors import CommandError


def write_run(folder: Path, times: list[float]) -> None:
    """A run that noted one loss at each time, every ten steps."""
    with SummaryWriter(str(folder / "tensorboard")) as board:
        for number, time in enumerate(times, start=1):
            board.add_scalar("l1", 0.5, 10 * number - 1, walltime=time)
    config = "batch: 4\nprecision: 32-true\nseed: 3\ndata:\n  crop: 96\n"
    (folder / "config.yaml").write_text(config, encoding="utf-8")


def test_pauses_do_not_count() -> None:
    assert training_time.seconds_at_work([0, 20, 50, 50 + training_time.PAUSE, 400]) == 20 + 30 + 50


def test_runs_stand_in_order_of_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "teacher", [1e9, 1e9 + 10, 1e9 + 2000, 1e9 + 2030])
    write_run(tmp_path / "autoencoder", [9e8, 9e8 + 100])
    training_time.main([str(tmp_path)])
    first, second = json.loads(capsys.readouterr().out)
    assert (first["stage"], first["steps"], first["seconds"]) == ("autoencoder", 20, 100)
    assert (second["stage"], second["steps"], second["seconds"]) == ("teacher", 40, 40)
    assert (second["batch"], second["crop"], second["began"]) == (4, 96, "2001-09-09T01:46:40+00:00")


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no run; name the folder"):
        training_time.measure_all(tmp_path)
