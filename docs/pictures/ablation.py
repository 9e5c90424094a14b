"""Makes ablation.jpg of the runs of an ablation: `python docs/pictures/ablation.py runs/ablation`.

The pictures are those of tests/photos.
"""

import sys
from pathlib import Path

from train.ablate import predictors
from train.evaluate import find_pairs
from train.evaluation.ablation_page import picture_sheet

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WEIGHTS, PHOTOS = ROOT / "train/weights/mobile", ROOT / "tests/photos"


def main() -> None:
    models = predictors(Path(sys.argv[1]), 0, WEIGHTS / "teacher.safetensors", WEIGHTS / "autoencoder.safetensors")
    picture_sheet(find_pairs(PHOTOS), models).save(HERE / "ablation.jpg", quality=88)


if __name__ == "__main__":
    main()
