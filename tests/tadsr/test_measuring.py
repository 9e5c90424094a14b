import subprocess
import sys
import time
from pathlib import Path

import pytest

from tadsr import measuring
from tadsr.measuring import describe_machine, describe_versions, time_in_rounds

ROOT = Path(__file__).parents[2]


def test_each_call_runs_twice_a_round_and_the_second_counts() -> None:
    order: list[str] = []

    def slow_at_first(name: str) -> None:
        time.sleep(0.02 if order[-1:] != [name] else 0)
        order.append(name)

    timings = time_in_rounds({name: lambda n=name: slow_at_first(n) for name in "ab"}, rounds=3)
    assert order == [*"aabb"] * 3
    assert {len(timing.seconds) for timing in timings.values()} == {3}
    assert all(0 < timing.least <= timing.median < 0.01 for timing in timings.values())


def test_long_calls_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONG", 0.001)
    runs: list[None] = []
    timings = time_in_rounds({"long": lambda: runs.append(time.sleep(0.002))}, rounds=2)
    assert len(runs) == len(timings["long"].seconds) == 2


def test_rounds_go_on_for_the_seconds_of_each_call() -> None:
    lines: list[str] = []
    begin = time.perf_counter()
    timings = time_in_rounds({"a": lambda: time.sleep(0.01), "b": lambda: None}, 1, 0.05, lines.append)
    assert time.perf_counter() - begin >= 0.1
    assert len(timings["a"].seconds) == len(timings["b"].seconds) == len(lines) / 2 > 1
    assert lines[0].endswith(": a")


def test_peak_memory_grows_with_what_is_held() -> None:
    script = (
        "from tadsr.measuring import peak_memory as peak; before = peak(); held = b'x' * 2**26; print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    if "None" in done.stdout:
        pytest.skip("this system does not tell a process its memory")
    before, after = map(int, done.stdout.split())
    assert after >= before + 2**25


def test_the_machine_and_the_versions() -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert machine["cpus"] >= 1
    versions = describe_versions("numpy", "not-to-be-found")
    assert versions.keys() == {"python", "numpy", "not-to-be-found"}
    assert versions["not-to-be-found"] is None
    assert versions["python"] == sys.version.split()[0]
