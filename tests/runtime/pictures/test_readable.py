"""Which decoders a file is given to: by what is in it, whatever it is called, and never one that starts a program."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import runtime
from runtime.errors import PictureError
from runtime.pictures.formats import READABLE
from runtime.pictures.picture_file import PictureFile

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\n{ } loop\n%%EOF\n"
CONTENTS = {
    "postscript": POSTSCRIPT,
    "postscript in a DOS file": b"\xc5\xd0\xd3\xc6\x1e\x00\x00\x00" + b"\x00" * 22 + POSTSCRIPT,
    "hdf5": b"\x89HDF\r\n\x1a\n" + b"\x00" * 64,
    "grib": b"GRIB\x00\x00\x00\x01" + b"\x00" * 64,
    "fits": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + b" " * 2720,
    "wmf": b"\xd7\xcd\xc6\x9a" + b"\x00" * 64,
    "mpeg": b"\x00\x00\x01\xb3" + b"\x00" * 64,
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".eps"])
def test_other_formats_are_refused_in_one_line(
    kind: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*words: Any, **options: Any) -> None:
        raise AssertionError(f"{words} was started")

    for name in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, started)
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(CONTENTS[kind])
    for open_it in (PictureFile, runtime.upscale):
        with pytest.raises(PictureError, match="is not a picture of a known format"):
            open_it(path)


def test_every_decoder_in_the_list_is_pillows() -> None:
    Image.init()
    assert set(READABLE) <= set(Image.OPEN)
    assert not {"EPS", "WMF", "FITS", "HDF5", "GRIB", "BUFR", "MPEG"} & {*READABLE}
