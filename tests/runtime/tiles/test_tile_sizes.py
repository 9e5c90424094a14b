import pytest

from runtime.backends.base import offered_by_bundle
from runtime.errors import TileError
from runtime.manifest import Artifact, Manifest
from runtime.tiles.tile_sizes import TileSizes


def sizes(*tiles: int | None) -> TileSizes:
    artifacts = [Artifact(f"{tile}.onnx", "onnx", "int8", tile) for tile in tiles]
    others = [Artifact("other.onnx", "onnx", "fp32", 64), Artifact("other.pte", "executorch", "int8", 64)]
    manifest = Manifest("toy", 4, 8, 20, 10, [256, 128], [*others, *artifacts], [], "Apache-2.0", {})
    return TileSizes.of(manifest, artifacts[0], offered_by_bundle(manifest, "onnx"))


@pytest.mark.parametrize(
    ("tiles", "tile", "longest", "file"),
    [
        ((None,), None, 1000, "None.onnx"),
        ((None,), 128, 1000, "None.onnx"),
        ((None,), 200, 1000, "None.onnx"),
        ((512, 128, 256), 256, 1000, "256.onnx"),
        ((512, 128, 256), None, 100, "128.onnx"),
        ((512, 128, 256), None, 129, "256.onnx"),
        ((512, 128, 256), None, 1000, "512.onnx"),
        ((256, None), 256, 1000, "256.onnx"),
        ((256, None), 128, 1000, "None.onnx"),
    ],
)
def test_each_size_has_its_file(tiles: tuple[int | None, ...], tile: int | None, longest: int, file: str) -> None:
    allowed = sizes(*tiles)
    allowed.check(tile)
    assert allowed.artifact(tile, longest).file == file


@pytest.mark.parametrize(
    ("tiles", "tile", "message"),
    [
        (
            (512, 128, 256),
            200,
            "tile=200: .* built for tiles of 128, 256, 512; use one of them or tile=None",
        ),
        ((64,), 128, "tile=128: this model was built for tiles of 64;"),
        ((None,), 50, "tile=50: a tile is a multiple of 8 pixels and at most 4096; use for example 128, 256 or 56"),
        ((None,), 0, "128, 256 or 8"),
        ((None,), -8, "128, 256 or 8"),
        ((None,), 10**9, "128, 256 or 4096"),
    ],
)
def test_others_are_refused_and_the_allowed_ones_listed(tiles: tuple[int | None, ...], tile: int, message: str) -> None:
    with pytest.raises(TileError, match=message):
        sizes(*tiles).check(tile)


@pytest.mark.parametrize(
    ("tiles", "tile", "smaller"),
    [
        ((None,), 512, [368, 264, 192, 136, 96, 72, 56, 40, 32, 24, 16]),
        ((None,), 300, [216, 152, 112, 80, 56, 40, 32, 24, 16]),
        ((512, 128, 256), 512, [256, 128]),
    ],
)
def test_what_to_fall_back_on(tiles: tuple[int | None, ...], tile: int, smaller: list[int]) -> None:
    assert list(sizes(*tiles).halves(tile)) == smaller
