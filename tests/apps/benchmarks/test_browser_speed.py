import shutil

import pytest

from apps.benchmarks import browser_speed
from apps.errors import CommandError


def test_native_times_of_every_precision_and_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_speed, "RUNS", 1)
    times = dict(browser_speed.natively(64))
    assert {*times} == {("native", precision, threads, 64) for precision in ("fp32", "int8") for threads in (1, 2)}
    assert all(0.1 < milliseconds < 60_000 for milliseconds in times.values())


def test_without_chromium_one_line_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright", reason="needs playwright, which comes with tadsr[dev]")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CommandError, match="chromium: is not installed; get it with: apt-get install chromium"):
        browser_speed.measure()
