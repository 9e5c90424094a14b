"""The one table of formats holds together."""

from dataclasses import fields

import pytest
from PIL import Image

from runtime.pictures.formats import BY_NAME, FORMATS, UNBOUNDED, Format, sequence_of
from runtime.pictures.metadata import Metadata
from runtime.pictures.saving import is_installed

ROWS = [pytest.param(form, id=form.name) for form in BY_NAME.values()]


@pytest.mark.parametrize("form", ROWS)
def test_a_row_is_of_a_format_that_pillow_writes_in_these_modes(form: Format) -> None:
    if not is_installed(form):
        pytest.skip("needs the extra imaging")
    Image.init()
    assert form.name in Image.SAVE
    assert [FORMATS[suffix] for suffix in form.suffixes] == [form] * len(form.suffixes)
    assert "RGB" in form.modes
    assert {*form.metadata} <= {each.name for each in fields(Metadata)}


@pytest.mark.parametrize("form", ROWS)
def test_what_depends_on_each_other(form: Format) -> None:
    assert form.deep == ("I;16" in form.modes)  # no format holds 16-bit grey alone
    assert form.alpha or form.sequence is None
    assert form.vips is None or form.vips.add.keys() <= {*form.metadata}
    assert form.longest_segment == UNBOUNDED or form.metadata
    assert sequence_of(form.name) == form.sequence


def test_previews_and_sizes_are_no_frames() -> None:
    assert [sequence_of(name) for name in ("MPO", "ICO", "PSD", None)] == [None] * 4
