from pathlib import Path

import numpy as np
from PIL import Image

from apps.benchmarks.seams import HEIGHT, WIDTH, pictures


def test_photos_are_repeated_and_the_others_drawn(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    drawn = list(pictures(tmp_path))
    assert [kind for kind, _ in drawn] == ["photo", "gradient", "grey", "noise"]
    for _, picture in drawn:
        assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.float32)
        assert 0 <= picture.min() <= picture.max() <= 1
    photo = drawn[0][1]
    assert (photo[:40, :60] * 255).round().astype(np.uint8).tobytes() == levels.tobytes()
    assert (photo[40:80, 60:120] == photo[:40, :60]).all()
