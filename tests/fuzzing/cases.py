"""One damaged file through the runtime, and the judgement of what came of it."""

import hashlib
import json
import shutil
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

import runtime
from runtime.pictures.optional import teach_heic

from .mutations import mutated, mutated_manifest
from .samples import TARGETS, copy_bundle, manifest_of

BUNDLE_SHARE = 0.2
MAX_PIXELS = 250_000  # that a whole picture, of a size that damage has made up, is still done in a moment


class WrongError(AssertionError):
    """The runtime did something that it must not."""


@dataclass(frozen=True)
class Result:
    """Of which format a case was, and whether its file was used ("done") or refused with a `TadsrError`."""

    form: str
    outcome: str


class Cases:
    """All cases of a seed; each is drawn from the seed and its own number alone."""

    def __init__(self, samples: Path, seed: int) -> None:
        teach_heic()
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # twice as many are an error
        warnings.simplefilter("ignore")
        self._seed = seed
        self._bundle = samples / "bundle-folder.tadsr"
        self._zip = samples / "bundle-zip.tadsr"
        self._pictures = [path for path in sorted(samples.iterdir()) if not path.name.startswith("bundle")]
        self._contents = [path.read_bytes() for path in self._pictures]
        self._upscaler = runtime.load(self._bundle, threads=1)

    def run(self, number: int, folder: Path) -> Result:
        """Run a case in an empty folder. Raises `WrongError`, and whatever the runtime lets through."""
        random = Random(f"{self._seed}/{number}")
        return (self._bundle_case if random.random() < BUNDLE_SHARE else self._picture_case)(random, folder)

    def _picture_case(self, random: Random, folder: Path) -> Result:
        sample = random.randrange(len(self._pictures))
        source = folder / f"in{self._pictures[sample].suffix}"
        data = mutated(random, self._contents[sample], self._contents)
        source.write_bytes(data)
        target = folder / f"out{random.choice(TARGETS)}"
        form = self._pictures[sample].name.partition("-")[0]
        try:
            size = self._upscaler.to_file(source, target)
        except runtime.TadsrError as error:
            check_message(error)
            check_folder(folder, {source})
            outcome = "refused"
        else:
            check_folder(folder, {source, target})
            _check_picture(target, size)
            outcome = "done"
        if source.read_bytes() != data:
            raise WrongError("the input was changed")
        return Result(form, outcome)

    def _bundle_case(self, random: Random, folder: Path) -> Result:
        form, make = random.choice(
            [
                ("zip", self._damaged_zip),
                ("zip, manifest", self._zip_of_damaged_manifest),
                ("folder, manifest", self._damaged_manifest),
                ("folder, model", self._damaged_model),
            ]
        )
        path = folder / "fuzz.tadsr"
        make(random, path)
        try:
            with runtime.load(path, threads=1) as upscaler:
                result = upscaler(np.full((9, 7, 3), 99, np.uint8))
            if result.shape[2] != 3:
                raise WrongError(f"the result has the shape {result.shape}")
            outcome = "done"
        except runtime.TadsrError as error:
            check_message(error)
            outcome = "refused"
        check_folder(folder, {path})
        return Result(f"bundle, {form}", outcome)

    def _damaged_zip(self, random: Random, path: Path) -> None:
        path.write_bytes(mutated(random, self._zip.read_bytes(), self._contents))

    def _damaged_manifest(self, random: Random, path: Path) -> None:
        manifest = manifest_of(copy_bundle(self._bundle, path))
        text = mutated_manifest(random, manifest)
        (path / "manifest.json").write_bytes(mutated(random, text, self._contents) if random.random() < 0.3 else text)

    def _zip_of_damaged_manifest(self, random: Random, path: Path) -> None:
        folder = path.with_name("unpacked")
        self._damaged_manifest(random, folder)
        names = ["toy.onnx", "../toy.onnx", "/toy.onnx", "a/b/toy.onnx", "manifest.json/toy.onnx"]
        with zipfile.ZipFile(path, "w", random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
            archive.write(folder / "manifest.json", random.choice(["manifest.json", "toy/manifest.json"]))
            archive.write(folder / "toy.onnx", random.choice([*names[:1] * 4, *names]))
        shutil.rmtree(folder)

    def _damaged_model(self, random: Random, path: Path) -> None:
        """A model that is not the one that was made, but whose hash is right: it reaches the engine."""
        files = copy_bundle(self._bundle, path)
        model = mutated(random, files["toy.onnx"], self._contents)
        manifest = manifest_of(files)
        manifest["artifacts"][0] |= {"sha256": hashlib.sha256(model).hexdigest(), "size": len(model)}
        (path / "toy.onnx").write_bytes(model)
        (path / "manifest.json").write_text(json.dumps(manifest))


def check_message(error: Exception) -> None:
    if "\n" in str(error) or not str(error):
        raise WrongError(f"the message is not one line: {str(error)!r}")


def _check_picture(path: Path, size: tuple[int, int]) -> None:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    with Image.open(path) as image:
        image.load()
        if image.size != size:
            raise WrongError(f"the result has {image.size}, not {size}")
    Image.MAX_IMAGE_PIXELS = limit


def check_folder(folder: Path, expected: set[Path]) -> None:
    if {*folder.iterdir()} != expected:
        raise WrongError(f"the folder holds {sorted(path.name for path in folder.iterdir())}")
