import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from apps.benchmarks import inference, reference_networks
from apps.benchmarks.inference import BenchReport, show_bench
from apps.benchmarks.reference_networks import NetworkTiming, count, rrdb, srvgg, time_networks, time_side_by_side
from apps.errors import CommandError
from runtime.bundle import read_bundle
from tests.apps.commands import Tadsr
from tests.conftest import write_toy_bundle


def test_full_size_networks_have_the_published_sizes() -> None:
    parameters, macs = count(rrdb(), 128)
    assert parameters == 16_697_987
    assert macs == pytest.approx(294e9, rel=0.005)
    parameters, macs = count(srvgg(), 128)
    assert parameters == 1_213_296
    assert macs == pytest.approx(19.8e9, rel=0.005)


def test_counted_by_hand() -> None:
    # One block at growth 1: dense convolutions 2 -> 1, 3 -> 1, 4 -> 1, 5 -> 1, 6 -> 2, thrice; with 9 weights a pair.
    dense = 3 * (2 * 1 + 3 * 1 + 4 * 1 + 5 * 1 + 6 * 2)
    low, middle, high = 3 * 2 + dense + 2 * 2, 2 * 2, 2 * 2 + 2 * 2 + 2 * 3  # at 1x, 2x, 4x resolution
    biases = 2 + 3 * (4 * 1 + 2) + 2 + 2 + 2 + 2 + 3
    parameters, macs = count(rrdb(blocks=1, features=2, growth=1), 8)
    assert parameters == 9 * (low + middle + high) + biases
    assert macs == 9 * 8 * 8 * (low + 4 * middle + 16 * high)
    parameters, macs = count(srvgg(convolutions=1, features=2), 8)
    assert parameters == 9 * (3 * 2 + 2 * 2 + 2 * 48) + (2 + 2 + 48) + (2 + 2)
    assert macs == 9 * 8 * 8 * (3 * 2 + 2 * 2 + 2 * 48)


@pytest.mark.parametrize("model", [rrdb(blocks=2, features=8, growth=4), srvgg(convolutions=2, features=8)])
def test_they_enlarge_four_times_and_stay_in_bounds(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for height, width in ((8, 12), (5, 7)):
        (result,) = session.run(["sr"], {"lr": np.random.default_rng(0).random((1, 3, height, width), np.float32)})
        assert result.shape == (1, 3, 4 * height, 4 * width)
        assert np.abs(result).max() < 1e3  # neither inf nor NaN, which could run at another speed


def test_each_network_is_timed_in_every_round() -> None:
    networks = {"a": srvgg(convolutions=1, features=4), "b": rrdb(blocks=1, features=4, growth=2)}
    timings = time_networks(networks, threads=1, repeats=3, side=8)
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 3, "b": 3}
    assert min(timing.least for timing in timings.values()) > 0


def test_side_by_side(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(reference_networks, "rrdb", lambda: rrdb(blocks=1, features=8, growth=4))
    monkeypatch.setattr(reference_networks, "srvgg", lambda: srvgg(convolutions=1, features=8))
    rows = time_side_by_side(read_bundle(toy_bundle), threads=1, repeats=2)
    toy, *others = rows
    assert (toy.network, toy.ratio_to_ours) == ("toy", 1.0)
    assert toy.parameters == 8 * 48 * 9 + 768 * 8
    assert toy.gmacs * 1e9 == pytest.approx(32 * 32 * toy.parameters)
    for row in others:
        assert row.ratio_to_ours == pytest.approx(row.median_ms / toy.median_ms)
        assert row.median_ms >= row.min_ms > 0
    model = {"name": "toy", "backend": "onnx", "precision": "fp32"}
    show_bench(
        BenchReport(model, {"cpu": "x", "cpus": 1, "load": 0}, {}, 1, 2, {}, [], [], rows, [], []), as_json=False
    )
    assert "SRVGG" in capsys.readouterr().out


def test_peers_are_asked_for(tadsr: Tadsr, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fake(bundle: object, *, threads: int | None, repeats: int) -> list[NetworkTiming]:
        asked.append((threads, repeats))
        return [NetworkTiming("toy", 1, 1.0, 1.0, 1.0, 1.0)]

    monkeypatch.setattr(inference, "SIDES", ())
    monkeypatch.setattr(inference, "time_side_by_side", fake)
    assert '"ratio_to_ours": 1.0' in tadsr("bench", "--bundle", toy_bundle, "--peers", "--threads", 2, "--json").out
    assert asked == [(2, 10)]


def test_without_onnx(tadsr: Tadsr, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "SIDES", ())
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = tadsr("bench", "--bundle", toy_bundle, "--peers")
    assert done.code == 2
    assert done.err == 'error: --peers builds networks with onnx, which is missing: pip install "tadsr[dev]"\n'


def test_a_bundle_of_another_fixed_size(tmp_path: Path) -> None:
    fixed = read_bundle(write_toy_bundle(tmp_path / "fixed.tadsr", tile=32))
    with pytest.raises(CommandError, match=r"toy\.onnx takes only tiles of 32; --peers needs 128"):
        time_side_by_side(fixed, threads=1, repeats=1)
