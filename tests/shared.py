"""Material beside a developer's checkout that a user does not have: tests which need it skip."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

COMMITTED = Path(__file__).parent / "reference" / "golden"
SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(relative: str) -> Path:
    """The path of a file or folder of the shared material, or a skip of the calling test."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs {relative} of the developers' shared material, which is not beside this checkout")
    return path


def golden(name: str) -> Path:
    """The path of a file with numbers of the official code: a committed one, or a skip of the calling test."""
    committed = COMMITTED / name
    return committed if committed.exists() else shared(f"reference/golden/{name}")


class Validation(NamedTuple):
    """One validation picture, 512x512 RGB, and what two others make of its small side."""

    hr: Image.Image
    bicubic: Image.Image
    peer: Image.Image


def validation() -> Iterator[Validation]:
    """All validation pictures in order of their names, or a skip of the calling test."""
    val = shared("data/val")
    for path in sorted((val / "HR").glob("*.png")):
        hr = Image.open(path).convert("RGB")
        bicubic = Image.open(val / "LR" / path.name).convert("RGB").resize(hr.size, Image.Resampling.BICUBIC)
        yield Validation(hr, bicubic, Image.open(next((val / "peer").glob(f"{path.stem}.*"))).convert("RGB"))
