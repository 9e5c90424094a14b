"""A bundle `NAME.tadsr`: a folder (or the same zipped) of `manifest.json` and one file per backend and precision.

Nothing is ever unpickled, extracted or executed from it; a file reaches an engine only after its hash was checked.
"""

import hashlib
import os
import shutil
import stat
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .archives import BROKEN, safe_entries
from .atomic import take_place
from .errors import BundleError
from .manifest import FORMAT_VERSION, MANIFEST_FILE, Artifact, Manifest
from .native import native_content

__all__ = ["FORMAT_VERSION", "MANIFEST_FILE", "Artifact", "Bundle", "Manifest", "read_bundle", "write_bundle"]

SUFFIX = ".tadsr"
MAX_MANIFEST_BYTES = 2**20


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest has been read and checked; `path` is the folder or the zip file."""

    path: Path
    manifest: Manifest

    def open(self, artifact: Artifact) -> bytes:
        """The bytes of one artifact, checked against the manifest's size and SHA-256.

        Raises `BundleError` where the file is missing, cannot be read, is not the one the manifest describes, or holds
        native code.
        """
        data = _read(self.path, artifact.file, artifact.size)
        if len(data) != artifact.size or hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise BundleError(
                f"{self.path}: {artifact.file} is damaged or was changed (its size or SHA-256 is not the manifest's); "
                "get the bundle again"
            )
        if kind := native_content(data):
            raise BundleError(f"{self.path}: {artifact.file} is {kind}, which a bundle may not hold; do not use it")
        return data


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Open a bundle folder or zip and check its manifest; the model files are checked later, by `Bundle.open`.

    Raises `BundleError`.

    >>> read_bundle("photo.tadsr").manifest.scale
    4
    """
    path = Path(path)
    if not path.exists():
        raise BundleError(f"{path}: no such bundle; check the name")
    data = _read(path, MANIFEST_FILE, MAX_MANIFEST_BYTES)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path}: its {MANIFEST_FILE} is larger than {MAX_MANIFEST_BYTES} bytes; get the bundle again"
        )
    return Bundle(path, Manifest.from_json(data, str(path)))


def write_bundle(folder: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, Path]) -> Bundle:
    """Write a bundle folder `NAME.tadsr`, filling in every artifact's size and SHA-256.

    `files` maps each `Artifact.file` of `manifest` to the file that is copied there. The folder appears complete or not
    at all, and a bundle that stood there before survives a failure. Raises `BundleError`.

    >>> manifest = read_bundle("photo.tadsr").manifest
    >>> write_bundle("mine.tadsr", manifest, {"toy.onnx": Path("photo.tadsr/toy.onnx")}).path.name
    'mine.tadsr'
    """
    folder = Path(folder).absolute()
    check_target(folder)
    if missing := sorted({artifact.file for artifact in manifest.artifacts} ^ files.keys()):
        raise BundleError(f"{folder}: {missing[0]} is not both in the manifest and among the files; name it in both")
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        temporary.mkdir(parents=True)
        artifacts = []
        for artifact in manifest.artifacts:
            target = temporary / artifact.file
            shutil.copyfile(files[artifact.file], target)
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            artifacts.append(replace(artifact, sha256=digest, size=target.stat().st_size))
        finished = replace(manifest, artifacts=artifacts)
        text = finished.to_json()
        Manifest.from_json(text, str(folder))
        (temporary / MANIFEST_FILE).write_text(text, encoding="utf-8")
        take_place(temporary, folder)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Bundle(folder, finished)


def check_target(folder: Path) -> None:
    """Raise `BundleError` where no bundle can be written to `folder`. Best asked before the work.

    >>> check_target(Path("photo.tadsr"))
    """
    if folder.suffix != SUFFIX:
        raise BundleError(f"{folder}: a bundle's name ends in {SUFFIX}; choose such a name")
    # Replacing a folder deletes what was in it, so it must be recognisable as a bundle.
    if folder.exists() and not (folder / MANIFEST_FILE).is_file():
        raise BundleError(f"{folder}: exists and is not a bundle folder; choose another name")


def _read(path: Path, name: str, limit: int) -> bytes:
    """At most `limit` + 1 bytes of the file `name`, a plain name, of the bundle at `path`."""
    try:
        if path.is_dir():
            if not stat.S_ISREG((path / name).stat().st_mode):  # a pipe would be waited for without end
                raise BundleError(f"{path}: {name} is no plain file; do not use this bundle")
            with (path / name).open("rb") as file:
                return file.read(limit + 1)
        with zipfile.ZipFile(path) as archive, archive.open(_zip_entry(archive, name, path)) as entry:
            return entry.read(limit + 1)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: lacks {name}, so it is not a whole bundle; get the bundle again") from error
    except BROKEN as error:
        raise BundleError(f"{path}: neither a bundle folder nor an intact zip of one; get the bundle again") from error
    except MemoryError as error:
        raise BundleError(f"{path}: {name} is larger than the memory there is; use a smaller model") from error
    except OSError as error:
        raise BundleError(f"{path}: {name} cannot be read ({error.strerror or error})") from error


def _zip_entry(archive: zipfile.ZipFile, name: str, path: Path) -> zipfile.ZipInfo:
    """The entry `name` beside the archive's `manifest.json`, at the top or in its one folder.

    Entries are read in place, never extracted; an archive with names that try to leave it is refused all the same.
    """
    by_name = safe_entries(archive, str(path))
    homes = [n.removesuffix(MANIFEST_FILE) for n in by_name if n.split("/")[-1] == MANIFEST_FILE and n.count("/") <= 1]
    if len(homes) != 1 or homes[0] + name not in by_name:
        raise FileNotFoundError(name)
    return by_name[homes[0] + name]
