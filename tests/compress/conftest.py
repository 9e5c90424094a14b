from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from compress.folding.programs import export_static, save_program
from tests.export.programs import CARD, TILE, export_free, tiny_network
from tests.tiny import write_photos, write_preset

PICTURES = 4
"""Photos in the folder ``photos`` of ``folded``."""


@pytest.fixture(scope="session")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What quantisation reads: photos, a preset, a folded float program of free size and of one tile, and pairs."""
    folder = tmp_path_factory.mktemp("folded")
    write_preset(folder / "tiny.yaml")
    write_photos(folder / "photos", PICTURES)
    network = tiny_network(bias=0.05)
    for name, program in (("student", export_free(network)), (f"student.{TILE}", export_static(network, TILE))):
        save_program(program, folder / f"{name}.pt2")
    CARD.write(folder)
    rng = np.random.default_rng(0)
    for side, name in ((24, "LR"), (96, "HR")):
        (folder / "pairs" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"pairs/{name}/{i}.png")
    return folder


@pytest.fixture(scope="session")
def asked(folded: Path) -> Callable[..., list[str]]:
    """The arguments of ``compress.quantize`` for a run of seconds into a folder, some of them changed."""

    def arguments(out: Path, **changed: object) -> list[str]:
        options: dict[str, object] = {
            **{"preset": folded / "tiny.yaml", "photos": folded / "photos", "program": folded / "student.pt2"},
            **{"out": out, "steps": 2, "batch": 2, "workers": 0, "precision": "32-true", "calibration": PICTURES},
            **changed,
        }
        return [f"--{name}={value}" for name, value in options.items()]

    return arguments


@pytest.fixture(scope="session")
def tiles() -> list[Tensor]:
    """LR pictures [2, 3, 24, 32] of noise."""
    return list(torch.rand(4, 2, 3, 24, 32, generator=torch.Generator().manual_seed(0)))
