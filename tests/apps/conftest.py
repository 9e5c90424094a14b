from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .commands import Tadsr


@pytest.fixture
def tadsr(capsys: pytest.CaptureFixture[str]) -> Tadsr:
    return Tadsr(capsys)


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Saves a picture of noise, 12x9 pixels, under a name in the test's folder."""
    random = np.random.default_rng(0)

    def save(name: str, size: tuple[int, int] = (12, 9)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        return path

    return save
