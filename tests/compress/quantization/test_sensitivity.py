"""What is worth keeping in float."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torchao", reason="INT8 is made by torchao; pip install 'tadsr[compress]'")
pytest.importorskip("nncf", reason="ranges are measured by NNCF; pip install 'tadsr[compress]'")

from compress.quantization.sensitivity import COSTLY_SUM, COSTLY_WORK, Sensitivity, choose_float_layers

costs = st.tuples(st.one_of(st.just(0.0), st.floats(1e-3, 1)), st.floats(0, 1))


def scanned(measured: list[tuple[float, float]]) -> list[Sensitivity]:
    """Of (multiply-accumulates, error) in any unit."""
    total = sum(macs for macs, _ in measured) or 1
    return [Sensitivity(str(i), macs / total, error) for i, (macs, error) in enumerate(measured)]


@given(st.lists(costs, min_size=1, max_size=20), st.floats(0, 1))
def test_no_more_work_stays_in_float_than_allowed(measured: list[tuple[float, float]], allowed: float) -> None:
    found = scanned(measured)
    by_name = {layer.name: layer for layer in found}
    kept = [by_name[name] for name in choose_float_layers(found, allowed)]
    assert len(set(kept)) == len(kept)
    assert sum(layer.macs for layer in kept) <= allowed + 1e-9
    total = sum(layer.error for layer in found)
    assert [layer for layer in kept if not layer.macs] == [
        layer for layer in found if not layer.macs and layer.error > COSTLY_SUM * total / len(found)
    ], "sums first, each that costs more than layers do on average"
    rates = [layer.error / layer.macs for layer in kept if layer.macs]
    assert rates == sorted(rates, reverse=True), "convolutions by what they cost for their work"
    assert all(layer.error > COSTLY_WORK * layer.macs * total for layer in kept if layer.macs)


@given(st.lists(costs, min_size=1, max_size=20), st.floats(0, 1))
def test_one_that_is_worth_more_is_passed_over_only_for_want_of_room(
    measured: list[tuple[float, float]], allowed: float
) -> None:
    found = scanned(measured)
    kept = set(choose_float_layers(found, allowed))
    total = sum(layer.error for layer in found)
    for left in found:
        if left.name not in kept and left.macs and left.error > COSTLY_WORK * left.macs * total:
            better = [one for one in found if one.macs and one.error / one.macs >= left.error / left.macs]
            assert sum(one.macs for one in better if one.name in kept) + left.macs > allowed - 1e-9


def test_without_room_only_sums_stay_in_float() -> None:
    found = scanned([(0, 0.5), (1, 1), (9, 0.1)])
    assert choose_float_layers(found, 0) == []
    found = scanned([(0, 1.2), (1, 1), (9, 0.1)])
    assert choose_float_layers(found, 0) == ["0"]
    assert choose_float_layers(found, 0.1) == ["0", "1"]


def test_a_layer_that_does_not_fit_leaves_its_room_to_the_next() -> None:
    found = scanned([(10, 60), (2, 9), (88, 1)])
    assert choose_float_layers(found, 0.05) == ["1"]
