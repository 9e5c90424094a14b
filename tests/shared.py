"""Material beside a developer's checkout that a user does not have: tests which need it skip."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(relative: str) -> Path:
    """The path of a file or folder of the shared material, or a skip of the calling test."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs {relative} of the developers' shared material, which is not beside this checkout")
    return path


def golden(name: str) -> Path:
    """The path of a file with numbers of the official code, or a skip of the calling test."""
    return shared(f"reference/golden/{name}")
