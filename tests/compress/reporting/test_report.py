"""``python -m compress.report``: table, JSON, page and exit codes."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress import report
from compress.reporting.budgets import Verdict, check_shipped
from compress.reporting.measure import measure
from compress.reporting.results import as_json, read_report
from tadsr import commands
from tests.tiny import write_photos
from train.evaluation.pairs import bicubic
from train.evaluation.predictors import Picture, Predictor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with two rows, the second slightly off the first."""
    folder, pairs = tmp_path_factory.mktemp("report"), tmp_path_factory.mktemp("pairs") / "val <1>"
    for path in write_photos(pairs / "HR", count=2, side=160).iterdir():
        (pairs / "LR").mkdir(exist_ok=True)
        Image.open(path).resize((40, 40), Image.Resampling.BICUBIC).save(pairs / "LR" / path.name)

    def darker(lr: Picture, hr: Picture | None) -> Picture:
        return np.maximum(bicubic(lr, hr), 2) - np.uint8(2)

    provenance = {"command": "python -m compress.quantize <x>"}
    first, second = Predictor(bicubic, size=100), Predictor(darker, size=27)
    measure("folded", first, pairs, folder, baseline=None, provenance=provenance)
    measure("qat", second, pairs, folder, baseline="folded", provenance=provenance)
    return folder


def run(*arguments: object) -> int:
    """The exit code of the command."""
    try:
        commands.run(lambda: report.main([*map(str, arguments)]))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def budgets(tmp_path: Path) -> Path:
    path = tmp_path / "budgets.yaml"
    path.write_text("qat: {baseline: folded, psnr_previous: {min: 40}, size_ratio: {max: 0.28}}\n")
    return path


def test_table_and_page(folder: Path, budgets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--budgets", budgets, "--html", tmp_path / "page.html") == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].split() == ["folded", "qat"]
    assert [line.split()[-1] for line in lines if line.startswith("size ratio")] == ["0.270"]
    assert len({len(line) for line in lines[:-1]}) == 1, "columns are aligned"
    assert lines[-1] == f"wrote {tmp_path / 'page.html'}"


def test_files_that_were_verified_are_describe_check(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path / "report")
    path = tmp_path / "report/report.json"
    checks = [
        {"file": "a.onnx", "problem": None, "unchecked": None, "report": {"worst_psnr": 93.04}},
        {"file": "b.onnx", "problem": "b.onnx: <damaged>", "unchecked": None, "report": None},
        {"file": "c.pte", "problem": None, "unchecked": "executorch is not installed", "report": None},
    ]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"checks": checks}))
    run(tmp_path / "report")
    said = capsys.readouterr().out
    assert "a.onnx: passes, 93.0 dB from its program at worst" in said
    assert "b.onnx: b.onnx: <damaged>" in said
    assert "c.pte: not run: executorch is not installed" in said
    assert "b.onnx: &lt;damaged&gt;" in (tmp_path / "report/report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_needs_nothing_else_and_shows_crops_of_every_row(folder: Path, budgets: Path) -> None:
    run(folder, "--budgets", budgets)
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe"}
    assert "http" not in text
    assert len(page.sources) == 2 * (2 + 3), "whole picture and tile; with HR, and the row compared with"
    assert all(source.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for source in page.sources)
    assert "val &lt;1&gt;" in text
    assert "compress.quantize &lt;x&gt;" in text
    assert "prefers-color-scheme: dark" in text


def test_broken_budget_is_exit_code_1_after_everything_is_written(
    folder: Path, budgets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budgets.write_text("qat: {psnr_previous: {min: 60}, size_ratio: {max: 0.2}, cast: {max: 9}}\n")
    (folder / "report.html").unlink(missing_ok=True)
    assert run(folder, "--budgets", budgets, "--json") == 1
    said = capsys.readouterr()
    printed = json.loads(said.out)
    assert [row["stage"] for row in printed["rows"]] == ["folded", "qat"]
    assert said.err.splitlines() == [f"over budget: {line}" for line in printed["breaches"]]
    assert [line.partition(":")[0] for line in printed["breaches"]] == ["qat psnr_previous", "qat size_ratio"]
    assert "Over budget" in (folder / "report.html").read_text(encoding="utf-8")
    assert "qat" in read_report(folder).stages


def test_mistakes_are_exit_code_2(
    folder: Path, budgets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budgets.write_text("qat: {psnr_prev: {min: 60}}\n")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "report.json").write_text("{")
    for arguments, message in (
        ((folder, "--budgets", budgets), "psnr_prev: not among the limits of qat, did you mean psnr_previous?"),
        ((folder, "--budgets", tmp_path / "none.yaml"), "none.yaml: no such file"),
        ((tmp_path / "nowhere",), "report.json: no such file"),
        ((tmp_path / "damaged",), "report.json: damaged"),
        ((folder, "--html", tmp_path / "no" / "page.html"), "no"),
    ):
        assert run(*arguments) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert message in said.err


def test_the_committed_report_is_read_and_written_alike(tmp_path: Path) -> None:
    """``docs`` are rendered from what an earlier version printed: the file's keys stay."""
    printed = json.loads((Path(__file__).parents[3] / "docs/figures/compression.json").read_text(encoding="utf-8"))
    kept = {key: printed[key] for key in ("format_version", "pairs", "rows", "checks")}
    (tmp_path / "report.json").write_text(json.dumps(kept), encoding="utf-8")
    assert as_json(read_report(tmp_path)) == kept
    assert check_shipped(read_report(tmp_path)) == Verdict(printed["breaches"], printed["notes"])
