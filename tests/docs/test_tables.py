from typing import Any

from docs.tables.bundle import looked_at
from docs.tables.markdown import table, table_of
from docs.tables.training import credits, time_spent


def test_a_table() -> None:
    assert table(["", "b"], [["x", ""], ["y", "2"]]) == "| | b |\n|---|---|\n| x | |\n| y | 2 |"


def test_what_is_not_known_is_a_dash() -> None:
    columns = {"time": "{ms:.1f} ms", "text": lambda row: str(row["ms"])}
    assert table_of(columns, [{"ms": None}, {"ms": 0.0}], ["all", ""]).splitlines()[2:] == [
        "| – | None |",
        "| 0.0 ms | 0.0 |",
        "| all | |",
    ]


def test_words_of_an_earlier_model_are_marked() -> None:
    seen = {"file": "a.onnx", "sha256": "1" * 64, "date": "2026-01-01"}

    def manifest(sha256: str) -> dict[str, Any]:
        return {"artifacts": [{"file": "b.onnx", "sha256": "0"}, {"file": "a.onnx", "sha256": sha256}]}

    assert looked_at(seen, manifest("1" * 64)).startswith("Written on 2026-01-01, of `a.onnx`")
    late = looked_at(seen, manifest("2" * 64))
    assert late.startswith("**Written of an earlier model**")
    assert "`111111111111…`" in late
    assert "now `222222222222…`" in late


def test_times_add_up() -> None:
    run = {"stage": "fold", "steps": 3600, "batch": 16, "crop": 128, "seconds": 5400.0}
    lines = time_spent([run, run | {"stage": "teacher"}]).splitlines()
    assert lines[2] == "| fold | 3,600 | 16, 128 | 0.7 | 90 min |"
    assert lines[4] == "| together | | | | 3.0 h |"


def test_credits_are_rows() -> None:
    rows = [{"source": "a/b", "licence": "CC0 1.0", "photos": 2}]
    page = credits({"photos": 2, "megapixels": 1.6, "credits": rows})
    assert "| a/b | CC0 1.0 | 2 |" in page
    assert page.endswith("Together 2 photos with 2 megapixels.")
