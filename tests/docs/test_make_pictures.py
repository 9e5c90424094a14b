import numpy as np
import pytest

pytest.importorskip("skimage", reason="needs scikit-image, which comes with tadsr[dev]")

from docs import make_pictures
from train.evaluation.contact_sheet import GAP, LABEL


@pytest.mark.parametrize("name", make_pictures.HARD)
def test_hard_pairs_are_the_same_every_time(name: str) -> None:
    label, lr, hr = make_pictures.hard_pair(name)
    assert label == name
    assert hr is not None
    assert hr.shape == (4 * lr.shape[0], 4 * lr.shape[1], 3)
    assert (lr == make_pictures.hard_pair(name)[1]).all()


def test_before_and_after_side_by_side() -> None:
    ((file, page),) = make_pictures.before_after()
    rows, columns = make_pictures.PART
    width, height = columns.stop - columns.start, rows.stop - rows.start
    assert (file, page.size) == ("before_after.jpg", (2 * width + GAP, 2 * LABEL + height))
    pixels = np.asarray(page)[-height:].astype(float)
    before, after = pixels[:, :width], pixels[:, -width:]
    assert 1 < np.abs(before - after).mean() < 20, "one picture, of which the second is sharper"
