"""The examples in the docstrings run."""

import doctest
import importlib

import numpy as np
import pytest

import runtime

MODULES = (
    "runtime",
    "runtime.backends.choice",
    "runtime.backends.failures",
    "runtime.backends.packages",
    "runtime.bundle",
    "runtime.pictures",
    "runtime.saving",
    "runtime.tiling",
    "runtime.upscaler",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"np": np, "runtime": runtime}).failed == 0
