"""Alpha that is wholly clear or opaque stays so, whatever the network makes of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.tiles.opacity import settle

SCALE = 2


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_where_a_pixel_and_all_around_it_agree(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = rng.choice(np.float32([0, 0.5, 1]), (height, width), p=[0.45, 0.1, 0.45])
    layer = np.broadcast_to(alpha, (3, height, width))
    network = rng.random((2, 3, SCALE * height, SCALE * width), np.float32)
    colour, settled = settle([layer, layer], list(network.copy()))
    np.testing.assert_array_equal(colour, network[0])
    for y in range(height):
        for x in range(width):
            around = alpha[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            block = (slice(None), slice(SCALE * y, SCALE * (y + 1)), slice(SCALE * x, SCALE * (x + 1)))
            sure = alpha[y, x] in (0, 1) and (around == alpha[y, x]).all()
            np.testing.assert_array_equal(settled[block], alpha[y, x] if sure else network[1][block])


def test_a_picture_without_alpha_is_left_alone() -> None:
    layer, result = np.ones((3, 4, 4), np.float32), np.full((3, 8, 8), 0.5, np.float32)
    assert settle([layer], [result])[0] is result
    assert (result == 0.5).all()
