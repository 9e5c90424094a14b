"""``python -m docs.make_pictures before_after results web`` makes the pictures of README.md and docs anew.

The pictures named ``web`` need the built browser app, and Chromium.
"""

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

import runtime
from apps.benchmarks.browser_speed import opened_app
from tadsr import commands
from train.data.degradation import DegradationSettings, degrade
from train.diffusion.pixels import from_tensor, to_tensor
from train.engine.settings import SCALE
from train.evaluation.contact_sheet import Picture, Row, sheet
from train.evaluation.pairs import Pair, find_pairs
from train.evaluation.scoring import bicubic

PICTURES = Path(__file__).parent / "pictures"
PHOTOS = Path(__file__).parents[1] / "tests" / "photos"
PART = (slice(60, 400), slice(200, 620))
"""What before_after.jpg shows of the enlarged sample: rows and columns."""
SIDE = 256
HARD = {"text": (4, 100, 8), "brick": (128, 128, 9), "grass": (128, 128, 10)}
"""By picture of scikit-image, all grey: top and left of the part that is degraded, and the seed."""
WEB: dict[str, dict[str, Any]] = {
    "web.jpg": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "web_phone.jpg": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}
PATIENCE = 120_000
"""Milliseconds that the browser app may take."""

Pictures = Iterator[tuple[str, Image.Image]]
"""File names, and what belongs in them."""


def before_after() -> Pictures:
    """A part of the sample, enlarged bicubically and by tadsr."""
    sample = np.asarray(Image.open(PICTURES / "sample.jpg"))
    columns = {"bicubic": bicubic(sample, SCALE), "tadsr": runtime.upscale(sample)}
    yield "before_after.jpg", sheet([Row("", {title: picture[PART] for title, picture in columns.items()})])


def results() -> Pictures:
    """The pairs of tests/photos, and pictures that are hard to restore, by the shipped INT8 file."""
    with runtime.load(precision="int8") as upscaler:
        rows = [_row(pair, upscaler) for pair in [*find_pairs(PHOTOS), *map(hard_pair, HARD)]]
    yield "results.jpg", sheet(rows)


def hard_pair(name: str) -> Pair:
    """A part of a picture of scikit-image, and its degraded form."""
    top, left, seed = HARD[name]
    grey = getattr(data, name)()[top:, left:]
    height, width = (min(SIDE, side) // SCALE * SCALE for side in grey.shape)
    hr = np.ascontiguousarray(np.repeat(grey[:height, :width, None], 3, axis=2))
    lr = degrade(to_tensor(hr)[0], np.random.default_rng(seed), DegradationSettings(), SCALE)
    return name, from_tensor(lr[None]), hr


def _row(pair: Pair, upscaler: runtime.Upscaler) -> Row:
    name, lr, hr = pair
    assert hr is not None
    columns: dict[str, Picture] = {"bicubic": bicubic(lr, SCALE), "tadsr": upscaler(lr), "original": hr}
    return Row(Path(name).stem, columns)


def web() -> Pictures:
    """The browser app after it has enlarged the sample, on a desktop and on a phone."""
    with opened_app() as (browser, url):
        for name, settings in WEB.items():
            page = browser.new_page(**settings)
            page.goto(url)
            page.click("#try-sample")
            page.wait_for_selector('.job[data-state="done"]', timeout=PATIENCE)
            page.mouse.move(0, 0)
            yield name, Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            page.close()


MAKERS: dict[str, Callable[[], Pictures]] = {"before_after": before_after, "results": results, "web": web}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.make_pictures", description="Make pictures of docs anew.")
    parser.add_argument("names", nargs="+", choices=MAKERS, metavar="NAME", help=", ".join(MAKERS))
    for name in parser.parse_args(argv).names:
        for file, picture in MAKERS[name]():
            runtime.save_picture(picture, PICTURES / file, quality=90)
            commands.say(f"wrote {PICTURES / file}")


if __name__ == "__main__":
    commands.run(main)
