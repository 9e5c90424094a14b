import hashlib
import io
import json
import os
import pickle
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import runtime
from runtime.bundle import Artifact, Manifest, read_bundle, write_bundle
from runtime.errors import BundleError, TadsrError
from runtime.native import native_content


def zip_of(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "x")
    return stream.getvalue()


@pytest.fixture
def bundle_folder(toy_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))


def edit(folder: Path, **changes: Any) -> None:
    data = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**data, **changes}))


def zipped(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, prefix + file.name)
    return target


def test_round_trip(toy_bundle: Path) -> None:
    bundle = read_bundle(toy_bundle)
    assert (bundle.manifest.scale, bundle.manifest.align, bundle.manifest.tiles) == (4, 4, [32, 64])
    (artifact,) = bundle.manifest.artifacts
    assert bundle.open(artifact) == (toy_bundle / "toy.onnx").read_bytes()
    assert Manifest.from_json(bundle.manifest.to_json()) == bundle.manifest


@pytest.mark.parametrize("prefix", ["", "toy.tadsr/"])
def test_zip_is_the_same(toy_bundle: Path, tmp_path: Path, prefix: str) -> None:
    bundle = read_bundle(zipped(toy_bundle, tmp_path / "z.tadsr", prefix))
    assert bundle.manifest == read_bundle(toy_bundle).manifest
    assert bundle.open(bundle.manifest.artifacts[0]) == (toy_bundle / "toy.onnx").read_bytes()


def test_wrong_hash_and_size(bundle_folder: Path) -> None:
    bundle = read_bundle(bundle_folder)
    data = bytearray((bundle_folder / "toy.onnx").read_bytes())
    for damaged in (bytes([data[0] ^ 1]) + data[1:], data[:-1], data + b"x"):
        (bundle_folder / "toy.onnx").write_bytes(damaged)
        with pytest.raises(BundleError, match=r"toy\.onnx is damaged or was changed"):
            bundle.open(bundle.manifest.artifacts[0])
        in_zip = read_bundle(zipped(bundle_folder, bundle_folder.with_name("d.tadsr")))
        with pytest.raises(BundleError, match="is damaged or was changed"):
            in_zip.open(in_zip.manifest.artifacts[0])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x7fELF\2\1\1", "a native library"),
        (b"MZ\x90\0", "a native library"),
        (b"\xcf\xfa\xed\xfe", "a native library"),
        (b"ftrt\0\0\0\0", "a TensorRT engine"),
        (pickle.dumps({"a": 1}), "a pickle"),
        (zip_of("archive/data.pkl"), r"code \('archive/data\.pkl'\)"),
        (zip_of("data/aotinductor/model/net.so"), r"code \('data/aotinductor/model/net\.so'\)"),
    ],
)
def test_code_is_refused_whatever_it_is_called(bundle_folder: Path, content: bytes, kind: str) -> None:
    """Also where size and hash are those of the manifest: who made the bundle wrote both."""
    (bundle_folder / "toy.onnx").write_bytes(content)
    entry = json.loads((bundle_folder / "manifest.json").read_text())["artifacts"][0]
    entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    edit(bundle_folder, artifacts=[entry])
    bundle = read_bundle(bundle_folder)
    with pytest.raises(BundleError, match=rf"toy\.onnx is {kind}, which a bundle may not hold"):
        bundle.open(bundle.manifest.artifacts[0])


def test_a_zip_without_code_is_data(bundle_folder: Path) -> None:
    content = zip_of("Data/com.apple.CoreML/weights/weight.bin")
    assert native_content(content) is None
    assert native_content(content[:40]) is None  # damaged: the engine will say so


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["manifest.json", "toy.onnx"])
def test_a_pipe_is_not_waited_for(bundle_folder: Path, name: str) -> None:
    (bundle_folder / name).unlink()
    os.mkfifo(bundle_folder / name)
    with pytest.raises(BundleError, match=f"{name} is no plain file"):
        runtime.load(bundle_folder)


def test_newer_format(bundle_folder: Path) -> None:
    edit(bundle_folder, format_version=2, something_new=1)
    with pytest.raises(BundleError, match=r"newer tadsr .*pip install -U tadsr"):
        read_bundle(bundle_folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": 0},
        {"format_version": "1"},
        {"format_version": True},
        {"name": "../evil"},
        {"scale": 0},
        {"scale": 4.0},
        {"align": 10**9},
        {"receptive_radius": -1},
        {"receptive_radius": 1},  # below the effective radius
        {"tiles": [30]},
        {"tiles": [4096]},
        {"receptive_radius": 4096},
        {"provenance": json.loads('{"a": ' * 20 + "1" + "}" * 20)},
        {"accuracy": [{"a": json.loads("[" * 20 + "]" * 20)}]},
        {"tiles": [True]},
        {"tiles": "256"},
        {"artifacts": []},
        {"artifacts": ["toy.onnx"]},
        {"artifacts": [{}]},
        {"accuracy": {}},
        {"licence": ""},
        {"provenance": []},
        {"surprise": 1},
    ],
)
def test_absurd_manifests(bundle_folder: Path, changes: dict[str, Any]) -> None:
    edit(bundle_folder, **changes)
    with pytest.raises(BundleError, match=r"toy\.tadsr: .*"):
        read_bundle(bundle_folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../toy.onnx"},
        {"file": "/etc/passwd"},
        {"file": "manifest.json"},
        {"file": 3},
        {"backend": "Onnx!"},
        {"precision": "fp31"},
        {"precision": ["fp32"]},
        {"tile": 0},
        {"tile": 30},
        {"tile": 16384},
        {"file": "net.pt2"},
        {"file": "net.ENGINE"},
        {"file": "libnet.so"},
        {"file": "net.pkl"},
        {"sha256": "0"},
        {"size": 0},
        {"size": 2**60},
        {"pickle": "x"},
    ],
)
def test_absurd_artifacts(bundle_folder: Path, changes: dict[str, Any]) -> None:
    entry = json.loads((bundle_folder / "manifest.json").read_text())["artifacts"][0]
    edit(bundle_folder, artifacts=[{**entry, **changes}])
    with pytest.raises(BundleError, match=r"artifact|tile size"):
        read_bundle(bundle_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"scale": NaN}', "[" * 100_000, b"\xff\xfe\x00"])
def test_manifest_that_is_not_json(bundle_folder: Path, text: str | bytes) -> None:
    (bundle_folder / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BundleError):
        read_bundle(bundle_folder)


def test_huge_manifest(bundle_folder: Path) -> None:
    (bundle_folder / "manifest.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(BundleError, match="larger than"):
        read_bundle(bundle_folder)


def test_not_bundles(tmp_path: Path, bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        read_bundle(tmp_path / "missing.tadsr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"lacks manifest\.json"):
        read_bundle(tmp_path / "empty")
    (tmp_path / "text.tadsr").write_text("hello")
    with pytest.raises(BundleError, match="neither a bundle folder nor an intact zip"):
        read_bundle(tmp_path / "text.tadsr")
    whole = zipped(bundle_folder, tmp_path / "z.tadsr").read_bytes()
    (tmp_path / "z.tadsr").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="intact zip"):
        read_bundle(tmp_path / "z.tadsr")
    bundle = read_bundle(bundle_folder)
    (bundle_folder / "toy.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks toy\.onnx"):
        bundle.open(bundle.manifest.artifacts[0])


def test_zip_whose_names_do_not_decode(bundle_folder: Path, tmp_path: Path) -> None:
    archive = zipped(bundle_folder, tmp_path / "z.tadsr")
    data = bytearray(archive.read_bytes())
    local = data.index(b"PK\x03\x04")
    data[local + 7] |= 0x08  # "the name is UTF-8"
    data[local + 30] = 0xFF
    archive.write_bytes(data)
    with pytest.raises(BundleError, match="intact zip"):
        read_bundle(archive)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\evil", "C:evil"])
def test_zip_that_tries_to_leave(bundle_folder: Path, tmp_path: Path, name: str) -> None:
    archive = zipped(bundle_folder, tmp_path / "z.tadsr")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, "x")
    with pytest.raises(BundleError, match="unsafe entry"):
        read_bundle(archive)


def test_zip_with_a_link(bundle_folder: Path, tmp_path: Path) -> None:
    archive = zipped(bundle_folder, tmp_path / "z.tadsr")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match="unsafe entry"):
        read_bundle(archive)


def test_zip_of_another_compression(bundle_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.tadsr", "w", zipfile.ZIP_LZMA) as archive:
        archive.write(bundle_folder / "manifest.json", "manifest.json")
    with pytest.raises(BundleError, match="zip it with deflate"):
        read_bundle(tmp_path / "z.tadsr")


def test_zip_bomb_is_read_no_further_than_declared(bundle_folder: Path, tmp_path: Path) -> None:
    (bundle_folder / "toy.onnx").write_bytes(b"\0" * 50_000_000)
    bundle = read_bundle(zipped(bundle_folder, tmp_path / "z.tadsr"))
    with pytest.raises(BundleError, match="damaged or was changed"):
        bundle.open(bundle.manifest.artifacts[0])


def test_write_replaces_and_an_old_bundle_survives_failure(bundle_folder: Path) -> None:
    bundle = read_bundle(bundle_folder)
    source = bundle_folder.parent / "new.bin"
    source.write_bytes(b"new")
    renamed = replace(bundle.manifest, name="second", artifacts=[Artifact("new.onnx", "onnx", "fp32")])
    written = write_bundle(bundle_folder, renamed, {"new.onnx": source})
    assert read_bundle(bundle_folder) == written
    assert written.open(written.manifest.artifacts[0]) == b"new"
    for bad_manifest, bad_file in (
        (replace(renamed, align=0), source),
        (replace(renamed, provenance={"loss": float("nan")}), source),
        (renamed, bundle_folder.parent / "missing.bin"),
    ):
        with pytest.raises(BundleError):
            write_bundle(bundle_folder, bad_manifest, {"new.onnx": bad_file})
        assert read_bundle(bundle_folder) == written
    assert sorted(path.name for path in bundle_folder.parent.iterdir()) == ["new.bin", "toy.tadsr"]


def test_old_bundle_returns_if_the_new_one_cannot_take_its_place(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_bundle(bundle_folder)
    source = bundle_folder.parent / "new.bin"
    source.write_bytes(b"new")
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(BundleError, match="Input/output error"):
        write_bundle(bundle_folder, before.manifest, {"toy.onnx": source})
    assert read_bundle(bundle_folder) == before
    assert sorted(path.name for path in bundle_folder.parent.iterdir()) == ["new.bin", "toy.tadsr"]


def test_write_deletes_nothing_but_bundles(bundle_folder: Path, tmp_path: Path) -> None:
    manifest = read_bundle(bundle_folder).manifest
    files = {"toy.onnx": bundle_folder / "toy.onnx"}
    photos = tmp_path / "photos.tadsr"
    photos.mkdir()
    (photos / "dear.jpg").touch()
    with pytest.raises(BundleError, match="not a bundle folder"):
        write_bundle(photos, manifest, files)
    assert (photos / "dear.jpg").exists()
    with pytest.raises(BundleError, match=r"ends in \.tadsr"):
        write_bundle(tmp_path / "plain", manifest, files)
    with pytest.raises(BundleError, match=r"other\.onnx is not both"):
        write_bundle(tmp_path / "b.tadsr", manifest, {**files, "other.onnx": files["toy.onnx"]})


def test_errors_share_one_base() -> None:
    assert issubclass(BundleError, TadsrError)
