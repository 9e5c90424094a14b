"""Make what the browser app stores of a bundle: `python -m apps.web_app.stored`, again whenever the model changed.

A tile and what ONNX Runtime makes of it here, by which the app judges engines in the browser; and the enlarged sample
picture that visitors see first. Into `apps/web/stored`, or for another bundle into any folder (docs/web.md).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import runtime
from runtime.atomic import replacing
from runtime.bundle import read_bundle
from runtime.pictures.formats import open_image
from runtime.tiles.halo import HALOS
from tadsr.commands import run, say

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "apps" / "web" / "stored"
SAMPLE = ROOT / "docs" / "pictures" / "sample.jpg"
TILE = (76, 50, 124, 98)
"""The eyes of the sample's cat: left, top, right, bottom."""


def store(bundle: Path, folder: Path) -> None:
    """Write the files of ``bundle`` into ``folder``, which is replaced as a whole. Raises `BundleError`.

    ``stored.json`` names the tile's size, the model files that it was made of, with their checksums, and how many
    pixels a seam of either precision keeps clear of inner tile edges; ``input.bin`` holds the tile and
    ``NAME.onnx.bin`` what that file makes of it, as bytes [H, W, 3].
    """
    manifest = read_bundle(bundle).manifest
    sample = open_image(SAMPLE)
    tile = np.asarray(sample.crop(TILE))
    artifacts = [artifact for artifact in manifest.artifacts if artifact.backend == "onnx" and artifact.tile is None]
    with replacing(folder) as draft:
        draft.mkdir(parents=True)
        (draft / "input.bin").write_bytes(tile.tobytes())
        for artifact in artifacts:
            result = runtime.upscale(tile, bundle=bundle, backend="onnx", precision=artifact.precision)
            (draft / f"{artifact.file}.bin").write_bytes(result.tobytes())
        runtime.upscale(sample, bundle=bundle).save(draft / "sample_x4.webp", quality=90)
        facts = {
            "height": tile.shape[0],
            "width": tile.shape[1],
            "models": {artifact.file: artifact.sha256 for artifact in artifacts},
            "radii": {artifact.precision: HALOS["fast"](manifest, artifact) for artifact in artifacts},
        }
        (draft / "stored.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.web_app.stored", description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=runtime.DEFAULT_BUNDLE, help="a NAME.tadsr folder")
    parser.add_argument("-o", "--out", type=Path, default=STORED, help="the folder to write")
    arguments = parser.parse_args(argv)
    store(arguments.bundle, arguments.out)
    say(f"{arguments.out} (of {arguments.bundle.name})")


if __name__ == "__main__":
    run(main)
