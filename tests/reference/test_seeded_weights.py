"""The recipe for weights: one frozen stream of numbers, whatever the order and the framework."""

import numpy as np
import torch

from tests.reference.seeded_weights import seeded_weights, sha256

SHAPES = {
    "b.weight": (4, 3, 2, 2),
    "a.bias": (5,),
    "c.weight": (6,),
    "quantize.embedding.weight": (7, 3),
    "x.relative_position_bias_table": (9, 2),
}


def test_scales_follow_the_names_and_the_stream_their_plain_order() -> None:
    weights = seeded_weights(SHAPES, seed=11)
    stream = np.random.RandomState(11)
    x = {name: stream.standard_normal(SHAPES[name]) for name in sorted(SHAPES)}
    expected = {
        "a.bias": 0.1 * x["a.bias"],
        "b.weight": x["b.weight"] / np.sqrt(12),
        "c.weight": 1 + 0.1 * x["c.weight"],
        "quantize.embedding.weight": x["quantize.embedding.weight"],
        "x.relative_position_bias_table": 0.5 * x["x.relative_position_bias_table"],
    }
    for name, value in expected.items():
        assert weights[name].dtype == torch.float32
        np.testing.assert_array_equal(weights[name].numpy(), value.astype(np.float32))


def test_order_of_registration_changes_nothing() -> None:
    there, back = seeded_weights(SHAPES, 3), seeded_weights(dict(reversed(SHAPES.items())), 3)
    assert all(torch.equal(there[name], back[name]) for name in SHAPES)
    assert sha256(there) == sha256(back)
    assert sha256(there) != sha256(seeded_weights(SHAPES, 4))
