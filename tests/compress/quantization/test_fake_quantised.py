"""The program that rounds but computes in float is the INT8 program."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

pytest.importorskip("torchao", reason="INT8 is made by torchao; pip install 'tadsr[compress]'")
pytest.importorskip("nncf", reason="ranges are measured by NNCF; pip install 'tadsr[compress]'")

from compress.quantization.calibration import measure_ranges
from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.layers import layers
from compress.quantization.sensitivity import scan
from compress.quantize import open_float
from tests.export.programs import IN_FLOAT


@pytest.fixture(scope="module")
def exact(folded: Path) -> GraphModule:
    return open_float(folded / "student.pt2")[0]


@pytest.fixture(scope="module")
def ranges(exact: GraphModule, tiles: list[Tensor]) -> dict[str, float]:
    return measure_ranges(copy.deepcopy(exact), tiles, IN_FLOAT)


@pytest.fixture
def fake(exact: GraphModule, ranges: dict[str, float]) -> FakeQuantised:
    return FakeQuantised(exact, IN_FLOAT, ranges)


def assert_same_but_for_flips(ours: Tensor, theirs: Tensor) -> None:
    """Both compute in float32, whose sums may differ in the last bit with the order of the summands. A number within
    that of the middle between two steps then goes to the other one, and what reads it sees a whole step: it is rare,
    and small.
    """
    difference = (ours - theirs).abs()
    assert float((difference > 1e-5).float().mean()) < 0.01
    assert float(difference.max()) < 0.1


@torch.no_grad()
def test_it_paints_what_the_int8_program_paints(fake: FakeQuantised, tiles: list[Tensor]) -> None:
    converted = fake.converted(tiles[0])
    for seed, shape in enumerate([(1, 3, 16, 16), (2, 3, 24, 32), (1, 3, 40, 12)]):
        tile = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        assert_same_but_for_flips(fake(tile), converted(tile))


@torch.no_grad()
def test_it_is_near_the_float_program(fake: FakeQuantised, exact: GraphModule, tiles: list[Tensor]) -> None:
    difference = torch.cat([fake(tile) - exact(tile) for tile in tiles])
    assert 1e-6 < float(difference.square().mean()) < 1e-3


@torch.no_grad()
def test_weights_that_were_trained_are_those_that_are_converted(fake: FakeQuantised, tiles: list[Tensor]) -> None:
    before = fake.converted(tiles[0]).state_dict()
    fake.program.get_parameter("decoder.1.conv2.weight").mul_(-3)
    converted = fake.converted(tiles[0])
    assert_same_but_for_flips(fake(tiles[0]), converted(tiles[0]))
    after = converted.state_dict()
    changed = {name for name in after if not after[name].equal(before[name])}
    (weight,) = (name for name in changed if after[name].dtype == torch.int8)
    (scales,) = changed - {weight}
    assert int((after[weight] + before[weight]).abs().max()) <= 1
    torch.testing.assert_close(after[scales], 3 * before[scales], rtol=2e-3, atol=0)


def test_gradients_pass_through_the_rounding(fake: FakeQuantised, tiles: list[Tensor]) -> None:
    fake(tiles[0]).mean().backward()
    assert all(parameter.grad is not None for parameter in fake.parameters())
    assert all(bool(parameter.grad.any()) for parameter in fake.parameters() if parameter.grad is not None)


def test_every_layer_has_its_roundings(fake: FakeQuantised, exact: GraphModule, tiles: list[Tensor]) -> None:
    found = fake.layer_fake_quants()
    known = {layer.name: layer for layer in layers(exact, tiles[0])}
    assert found.keys() == known.keys() - {*IN_FLOAT, "decoder.4.sum", "colour.sum"}
    assert all(len(fakes) == (2 if known[name].macs else 1) for name, fakes in found.items())


@torch.no_grad()
def test_only_some_roundings(fake: FakeQuantised, exact: GraphModule, tiles: list[Tensor]) -> None:
    whole = fake(tiles[0])
    found = fake.layer_fake_quants()
    with fake.only([]):
        torch.testing.assert_close(fake(tiles[0]), exact(tiles[0]), atol=1e-6, rtol=0)
    answers = []
    for name in ("decoder.1.conv1", "student.middle.0.sum"):
        with fake.only(found[name]):
            answers.append(fake(tiles[0]))
    errors = [float((answer - exact(tiles[0])).square().mean()) for answer in answers]
    assert all(0 < error < float((whole - exact(tiles[0])).square().mean()) for error in errors)
    assert not answers[0].equal(answers[1])
    assert fake(tiles[0]).equal(whole)


def test_a_failure_leaves_no_rounding_out(fake: FakeQuantised, tiles: list[Tensor]) -> None:
    whole = fake(tiles[0])
    with pytest.raises(RuntimeError), fake.only([]):
        fake(torch.rand(1, 4, 8, 8))
    assert fake(tiles[0]).equal(whole)


@pytest.mark.parametrize("bad", ["student.middle.0.conv2", "decoder.1.sum"])
def test_scan_finds_the_layer_that_is_bad(
    bad: str, exact: GraphModule, ranges: dict[str, float], tiles: list[Tensor]
) -> None:
    """One outlier on one photo, and the tensor's numbers are left with a few levels."""
    known = layers(exact, tiles[0])
    outlier = {"student.middle.0.conv2": "relu_3", "decoder.1.sum": "add_6"}[bad]
    fake = FakeQuantised(exact, IN_FLOAT, ranges | {outlier: 60 * ranges[outlier]})
    found = list(scan(fake, exact, known, tiles[:2]))
    assert [one.name for one in found] == list(fake.layer_fake_quants())
    errors = {one.name: one.error for one in found}
    same_tensor = {"student.middle.0.conv2": [], "decoder.1.sum": ["decoder.2.0"]}[bad]  # it reads that sum
    worst = [bad, *same_tensor]
    others = [error for name, error in errors.items() if name not in worst]
    assert min(errors[name] for name in worst) > 3 * max(others)
    macs = {layer.name: layer.macs for layer in known}
    assert all(one.macs == macs[one.name] for one in found)
