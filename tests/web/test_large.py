"""Twelve megapixels become 192 without killing the tab: the app built with a tiny network, so that it takes seconds."""

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import runtime
from apps.web_app.stored import store

from .conftest import OpenApp, running
from .test_results import PHOTO, levels

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright").expect

WEB = Path(__file__).resolve().parents[2] / "apps" / "web"
SIZE = (4000, 3000)
WINDOW = 400
"""Side of what is compared, in pixels of the input; its outer `MARGIN` pixels see other neighbours than the whole."""
MARGIN = 40
ZOOM = 8
"""Of the closest view, in screen pixels per pixel of the result."""
SHOWN = (24, 32)
"""Height and width of what is compared there, in pixels of the result."""
NEXT_TO_HANDLE = 48

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def toy_app(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that was built with the toy bundle, as anyone can build it with a bundle of their own."""
    if shutil.which("npm") is None or not (WEB / "node_modules").is_dir():
        pytest.skip("needs Node.js and npm ci --prefix apps/web")
    folder = tmp_path_factory.mktemp("toy_app")
    bundle = Path(shutil.copytree(toy_bundle, folder / "toy.tadsr"))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["effective_radius"] = manifest["receptive_radius"]  # then tiles equal the whole picture
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    store(bundle, folder / "stored")
    chosen = {"TADSR_BUNDLE": str(bundle), "TADSR_STORED": str(folder / "stored")}
    build = ["npx", "vite", "build", "--outDir", str(folder / "dist"), "--emptyOutDir"]
    subprocess.run(build, cwd=WEB, env={**os.environ, **chosen}, check=True, capture_output=True, timeout=120)
    with running(folder / "dist") as url:
        yield url


@pytest.mark.slow
def test_twelve_megapixels(open_app: OpenApp, toy_app: str, toy_bundle: Path, tmp_path: Path) -> None:
    photo = tmp_path / "large.png"
    Image.open(PHOTO).convert("RGB").resize(SIZE, Image.Resampling.BICUBIC).save(photo)
    app = open_app(toy_app)
    app.give(photo)
    app.wait("large.png", timeout=300_000)
    ours = app.download("large.png", tmp_path)
    with Image.open(photo) as small:
        windows = {
            (x, y): levels(runtime.upscale(small.crop((x, y, x + WINDOW, y + WINDOW)), bundle=toy_bundle))
            for x, y in ((0, 0), (1800, 1300), (3600, 2600))
        }
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(ours) as result:
            assert result.size == (4 * SIZE[0], 4 * SIZE[1])
            whole = np.asarray(result)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    for (x, y), expected in windows.items():
        part = whole[4 * y : 4 * (y + WINDOW), 4 * x : 4 * (x + WINDOW)].astype(np.int64)
        inner = slice(4 * MARGIN, -4 * MARGIN)
        assert np.abs(part - expected)[inner, inner].max() <= 1

    app.page.locator("#canvas").focus()
    for _ in range(20):
        app.page.keyboard.press("+")
    expect(app.page.locator("#zoom")).to_have_text(f"{100 * ZOOM} %")
    app.page.wait_for_timeout(2000)  # close by, details are read from their small files
    seen, result = right_of_divider(app.page.locator("#canvas").screenshot(), whole)
    assert distance(seen, result) < distance(seen, result.reduce(4)) / 2, "it shows the reduced overview"

    app.choose(download="jpeg")
    app.job("large.png").get_by_role("button", name="Download").click()
    expect(app.page.locator("#complaint")).to_contain_text("192 megapixels are too many for JPEG")


def right_of_divider(screenshot: bytes, whole: Pixels) -> tuple[Image.Image, Image.Image]:
    """A part of the view, and what it shows at `ZOOM` of the middle of the result; both grey, as colour is packed."""
    view = Image.open(io.BytesIO(screenshot)).convert("L")
    height, width = SHOWN
    left, top = view.width // 2 + NEXT_TO_HANDLE, view.height // 2
    row, column = 2 * SIZE[1], 2 * SIZE[0] + NEXT_TO_HANDLE // ZOOM
    result = np.ascontiguousarray(whole[row : row + height, column : column + width])
    seen = view.crop((left, top, left + width * ZOOM, top + height * ZOOM))
    return seen, Image.fromarray(result).convert("L")


def distance(seen: Image.Image, picture: Image.Image) -> float:
    """How far what is seen is from `picture`, enlarged smoothly to its size: the mean difference in levels."""
    enlarged = picture.resize(seen.size, Image.Resampling.BICUBIC)
    return float(np.abs(levels(enlarged) - levels(seen)).mean())
