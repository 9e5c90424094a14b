"""Makes the small fixed set of pairs: `python tests/photos/make.py`.

Parts of scikit-image's pictures that are free of rights, and what training's degradation with fixed seeds makes of
them. They are kept as files, so that no other version of a package changes what figures were measured on.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from train.data.degradation import DegradationSettings, degrade

HERE = Path(__file__).parent
SIDE = 256
PARTS = {"astronaut": (20, 120), "chelsea": (20, 100), "coffee": (60, 180), "rocket": (100, 190)}
"""Top and left of the part of each picture that is degraded."""


def main() -> None:
    for seed, (name, (top, left)) in enumerate(PARTS.items()):
        hr = np.ascontiguousarray(getattr(data, name)()[top : top + SIDE, left : left + SIDE])
        sharp = torch.from_numpy(hr.transpose(2, 0, 1).astype(np.float32)) / 255
        lr = degrade(sharp, np.random.default_rng(seed), DegradationSettings(), 4)
        small = (lr * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        for side, picture in (("HR", hr), ("LR", small)):
            (HERE / side).mkdir(exist_ok=True)
            Image.fromarray(picture).save(HERE / side / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
