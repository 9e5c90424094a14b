"""The page in a visitor's hands: slider, zoom, cancel, mistakes, many files, keys, small screens."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

from .conftest import DESKTOP, OpenApp
from .test_results import PHOTO, SAMPLE

if TYPE_CHECKING:
    from .app import App

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright").expect

PHONE = {"width": 390, "height": 844}
ARTEFACTS = Path(__file__).resolve().parents[2] / "runs" / "web"
"""Screenshots are left here."""


def canvas_pixels(app: "App") -> bytes:
    """What the before/after view shows."""
    app.page.wait_for_timeout(100)  # a frame is drawn after the change
    return app.page.locator("#canvas").screenshot()


def test_the_sample_slides_before_anything_is_done(open_app: OpenApp) -> None:
    app = open_app()
    app.page.locator("#divider").focus()
    middle = canvas_pixels(app)
    for _ in range(100):
        app.page.keyboard.press("ArrowLeft")
    left = canvas_pixels(app)
    assert left != middle
    box = app.page.locator("#canvas").bounding_box()
    assert box is not None
    app.page.mouse.move(box["x"] + 20, box["y"] + 50)
    app.page.mouse.down()
    app.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 60)
    app.page.mouse.up()
    assert float(app.page.input_value("#divider")) == pytest.approx(90, abs=0.5)
    assert canvas_pixels(app) not in (left, middle)


def test_zoom_and_pan(open_app: OpenApp) -> None:
    app = open_app()
    whole = canvas_pixels(app)
    level = app.page.inner_text("#zoom")
    app.page.get_by_role("button", name="Zoom in").click(click_count=3)
    expect(app.page.locator("#zoom")).not_to_have_text(level)
    zoomed = canvas_pixels(app)
    app.page.locator("#canvas").focus()
    app.page.keyboard.press("ArrowRight")
    panned = canvas_pixels(app)
    assert len({whole, zoomed, panned}) == 3
    app.page.keyboard.press("0")
    expect(app.page.locator("#zoom")).to_have_text(level)


def test_cancel_and_go_on(open_app: OpenApp, tmp_path: Path) -> None:
    app = open_app().choose(tile=128)
    large = tmp_path / "large.png"
    Image.open(PHOTO).resize((1600, 1200)).save(large)
    app.give(large)
    expect(app.job("large.png").locator(".status")).to_contain_text("Tile")
    app.job("large.png").get_by_role("button", name="Cancel").click()
    app.wait("large.png", "cancelled")
    app.give(SAMPLE)
    app.wait("sample.jpg")


def test_files_that_are_no_pictures(open_app: OpenApp, tmp_path: Path) -> None:
    app = open_app()
    contents = {"broken.jpg": SAMPLE.read_bytes()[:300], "empty.png": b"", "notes.txt": b"not a picture"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    app.give(*(tmp_path / name for name in contents), SAMPLE)
    for name, message in {
        "broken.jpg": "broken.jpg cannot be read as a picture; check that it is whole",
        "empty.png": "empty.png is empty (0 bytes); get the file again",
        "notes.txt": "notes.txt cannot be read as a picture",
    }.items():
        expect(app.wait(name, "failed").locator(".status")).to_contain_text(message)
    app.wait("sample.jpg")


def test_several_in_a_row_by_drop_and_paste(open_app: OpenApp, tmp_path: Path) -> None:
    app = open_app()
    give = """([name, bytes, kind]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
        const event = kind === "drop" ? new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true })
                                      : new ClipboardEvent(kind, { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    for name, kind in (("dropped.jpg", "drop"), ("pasted.jpg", "paste")):
        app.page.evaluate(give, [name, list(SAMPLE.read_bytes()), kind])
    sizes = {Image.open(app.download(app.wait(name) and name, tmp_path)).size for name in ("dropped.jpg", "pasted.jpg")}
    assert sizes == {(800, 600)}
    first = app.job("dropped.jpg").get_by_role("button", name="Show")
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(app.page.locator("#caption")).to_contain_text("dropped.jpg, 200×150 to 800×600")


def test_it_says_which_engine_and_how_fast(open_app: OpenApp) -> None:
    app = open_app()
    results = {label: outcome for label, _, _, outcome in app.verdicts}
    assert results["CPU, fp32"] == results["CPU, INT8"] == "reproduced"
    assert "thread" in app.engine
    app.give(SAMPLE)
    app.wait("sample.jpg")
    assert app.page.inner_text("#speed").endswith("tiles/s of 200×152")


def test_keys_reach_everything(open_app: OpenApp) -> None:
    app = open_app()
    app.give(SAMPLE)
    app.wait("sample.jpg")
    reached = set()
    for _ in range(25):
        app.page.keyboard.press("Tab")
        reached.add(app.page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id"))
    assert {"choose", "try-sample", "Divider between before and after", "Zoom in", "zoom-fit"} <= reached
    assert {"Download sample.jpg", "Show sample.jpg"} <= reached
    names = "button, input, select, canvas, progress"
    unnamed = app.page.eval_on_selector_all(
        names,
        "all => all.filter(e => !(e.ariaLabel || e.labels?.length || e.textContent.trim())).map(e => e.outerHTML)",
    )
    assert unnamed == []
    expect(app.page.locator("#announcer")).to_have_text("sample.jpg is done: 800 by 600 pixels")


def test_no_request_beyond_its_own_files(open_app: OpenApp) -> None:
    app = open_app()
    app.give(SAMPLE)
    app.wait("sample.jpg")
    assert len(app.requests) > 10
    hosts = {urlparse(url).netloc for url in app.requests if not url.startswith("blob:")}
    assert hosts == {urlparse(app.url).netloc}
    refused = "fetch('https://example.org/').then(() => 'allowed', () => 'refused')"
    assert app.page.evaluate(refused) == "refused"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_both_screens_in_both_lights(open_app: OpenApp, size: dict[str, int], scheme: str) -> None:
    app = open_app(viewport=size, color_scheme=scheme, has_touch=size is PHONE)
    app.give(SAMPLE)
    app.wait("sample.jpg")
    assert app.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    picture = ARTEFACTS / f"{size['width']}x{size['height']}-{scheme}.png"
    app.page.screenshot(path=picture)
    corner = np.asarray(Image.open(picture).convert("L"))[2, 2]
    assert (corner > 128) == (scheme == "light")
