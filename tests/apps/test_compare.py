import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .commands import Tadsr

Draw = Callable[..., Path]


def pictures(page: Path) -> list[Image.Image]:
    """Those in the page, ours first."""
    found = re.findall(r'src="data:image/(?:jpeg|png);base64,([^"]+)"', page.read_text(encoding="utf-8"))
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_a_page_that_needs_nothing_else(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    photo = draw("a <photo>.png")
    done = tadsr("compare", photo, "-o", tmp_path / "page.html", "--bundle", toy_bundle)
    assert (done.code, done.err, done.out) == (0, "", f"{tmp_path / 'page.html'}\n")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "a &lt;photo&gt;.png" in text
    assert "http" not in text
    ours, bicubic = pictures(tmp_path / "page.html")
    assert ours.size == bicubic.size == (48, 36)
    right = Image.open(photo).resize((48, 36), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(bicubic, float) - np.asarray(right, float)).mean() < 4


def test_transparent_pictures_stay_so(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (12, 9), (200, 10, 10, 0)).save(tmp_path / "clear.png")
    assert tadsr("compare", tmp_path / "clear.png", "--bundle", toy_bundle).code == 0
    assert [picture.mode for picture in pictures(tmp_path / "clear.html")] == ["RGBA", "RGBA"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_not_white(suffix: str, tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    grey = np.linspace(0, 65535, 12 * 9).reshape(9, 12).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / f"deep{suffix}")
    assert tadsr("compare", tmp_path / f"deep{suffix}", "--bundle", toy_bundle).code == 0
    ours, bicubic = pictures(tmp_path / "deep.html")
    right = Image.fromarray((grey / 257).round().astype(np.uint8)).resize(ours.size, Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(bicubic, float) - np.asarray(right, float)).mean() < 4
    assert np.abs(np.asarray(ours, float).mean() - np.asarray(right, float).mean()) < 40


@pytest.mark.parametrize(
    ("output", "message"),
    [("page.png", "a page is written; name it NAME.html"), ("no/page.html", "cannot be written")],
)
def test_mistakes(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path, output: str, message: str) -> None:
    done = tadsr("compare", draw("photo.png"), "-o", tmp_path / output, "--bundle", toy_bundle)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
