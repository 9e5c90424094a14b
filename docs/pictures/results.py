"""Makes results.jpg: `python docs/pictures/results.py`. Freely licensed pictures, degraded and restored.

The first four are the pairs of tests/photos; the others are degraded likewise, with fixed seeds.
"""

from pathlib import Path

import numpy as np
from sheet import QUALITY, Picture, Row, sheet
from skimage import data

import runtime
from train.data.degradation import DegradationSettings, degrade
from train.diffusion.pixels import from_tensor, to_tensor
from train.engine.settings import SCALE
from train.evaluate import Pair, find_pairs
from train.evaluation.scoring import bicubic

HERE = Path(__file__).parent
PHOTOS = HERE.parents[1] / "tests" / "photos"
SIDE = 256
HARD = {"text": (4, 100, 8), "brick": (128, 128, 9), "grass": (128, 128, 10)}
"""By picture of scikit-image, all grey: top and left of the part that is degraded, and the seed."""


def hard_pair(name: str) -> Pair:
    """A part of a picture that is hard to restore, and its degraded form."""
    top, left, seed = HARD[name]
    grey = getattr(data, name)()[top:, left:]
    height, width = (min(SIDE, side) // SCALE * SCALE for side in grey.shape)
    hr = np.ascontiguousarray(np.repeat(grey[:height, :width, None], 3, axis=2))
    lr = degrade(to_tensor(hr)[0], np.random.default_rng(seed), DegradationSettings(), SCALE)
    return name, from_tensor(lr[None]), hr


def row(pair: Pair, upscaler: runtime.Upscaler) -> Row:
    """A pair and what is made of its small side."""
    name, lr, hr = pair
    assert hr is not None
    columns: dict[str, Picture] = {"bicubic": bicubic(lr, SCALE), "tadsr": upscaler(lr), "original": hr}
    return Row(Path(name).stem, columns)


def main() -> None:
    pairs = [*find_pairs(PHOTOS), *map(hard_pair, HARD)]
    with runtime.load(precision="int8") as upscaler:
        page = sheet([row(pair, upscaler) for pair in pairs])
    page.save(HERE / "results.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
