"""The examples in the docstrings run, in a folder with the small files that they speak of."""

import doctest
import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime

MODULES = (
    "runtime",
    "runtime.backends.choice",
    "runtime.backends.failures",
    "runtime.backends.packages",
    "runtime.bundle",
    "runtime.pictures.formats",
    "runtime.pictures.picture_file",
    "runtime.tiles.memory",
    "runtime.pictures.picture",
    "runtime.tiles.running",
    "runtime.tiles.resizing",
    "runtime.pictures.saving",
    "runtime.tiles.tiling",
    "runtime.upscaler",
)
"""Those that others may use; what is public has an example there."""


@pytest.fixture
def names(tmp_path: Path, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What the examples may use without importing it, beside `photo.jpg` and `photo.tadsr` in the current folder."""
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save("photo.jpg")
    shutil.copytree(toy_bundle, "photo.tadsr")
    with runtime.load(precision="int8", threads=1) as upscaler:
        yield {
            "Image": Image,
            "Path": Path,
            "np": np,
            "runtime": runtime,
            "upscaler": upscaler,
        }


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, names: dict[str, object]) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0


def test_what_is_public_has_an_example_that_runs() -> None:
    public = [getattr(runtime, name) for name in ("load", "upscale", "backends", "read_bundle", "save_picture")]
    methods = [getattr(runtime.Upscaler, name) for name in ("__call__", "many", "to_file", "warmup", "close")]
    for each in (*public, runtime.Upscaler, *methods):
        assert ">>>" in (each.__doc__ or ""), each
        assert "+SKIP" not in (each.__doc__ or ""), each
