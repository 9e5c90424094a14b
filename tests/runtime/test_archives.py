"""Zips of others are unpacked whole and inside their folder, or not at all."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import archives
from runtime.archives import unpack
from runtime.errors import BundleError


def zipped(files: dict[str, bytes], **given: int) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", **given) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()


def test_a_folder(tmp_path: Path) -> None:
    data = zipped({"a/": b"", "a/b.txt": b"1", "a/c/": b"", "a/c/d.txt": b"2"}, compression=zipfile.ZIP_DEFLATED)
    unpack(data, tmp_path / "out", "it")
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"out/b.txt": b"1", "out/c/d.txt": b"2"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a/../../b", "unsafe entry"),
        ("/a/b", "unsafe entry"),
        ("a//b", "unsafe entry"),
        ("a/C:b", "unsafe entry"),
        ("b/c", "not one zipped folder"),
        ("file", "not one zipped folder"),
    ],
)
def test_what_would_leave_its_folder(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(BundleError, match=f"^it: .*{message}"):
        unpack(zipped({"a/b.txt": b"1", name: b"2"}), tmp_path / "out", "it")
    assert list(tmp_path.iterdir()) == []


def test_links(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        entry = zipfile.ZipInfo("a/link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BundleError, match="unsafe entry 'a/link'"):
        unpack(memory.getvalue(), tmp_path / "out", "it")


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    data = zipped({"a/b": bytes(1001)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="unpacks to 1001 bytes, more than 1000"):
        unpack(data, tmp_path / "out", "it")
    monkeypatch.setattr(archives, "MAX_ENTRIES", 1)
    with pytest.raises(BundleError, match="a zip of 2 entries"):
        unpack(zipped({"a/b": b"", "a/c": b""}), tmp_path / "out", "it")
    assert list(tmp_path.iterdir()) == []


@given(cut=st.integers(0, 300), at=st.integers(0, 300), byte=st.integers(0, 255))
def test_damage_is_told_or_does_no_harm(tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: int) -> None:
    folder = tmp_path_factory.mktemp("damage")
    data = bytearray(zipped({"a/b.txt": b"1" * 50, "a/c/d.txt": b"2"}))
    data[at % len(data)] = byte
    try:
        unpack(bytes(data[: len(data) - cut]), folder / "out", "it")
    except (BundleError, OSError):
        assert list(folder.iterdir()) == []
    assert {path.name for path in folder.iterdir()} <= {"out"}
