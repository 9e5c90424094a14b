"""What happens around the tiles: memory that runs out, cancelling, several pictures, several callers."""

import errno
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime import BackendError, Cancelled, OutOfMemoryError, PictureError, SettingError, Upscaler

from .engines import watched

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def upscaler(toy_bundle: Path) -> Upscaler:
    return runtime.load(toy_bundle, threads=1)


def starved(largest: int, error: type[Exception] = OutOfMemoryError) -> tuple[list[int], object]:
    """What was asked for, and an engine's memory that ends at tiles of `largest`."""
    seen: list[int] = []

    def inspect(batch: np.ndarray) -> None:
        seen.append(batch.shape[2])
        if batch.shape[2] > largest:
            raise error("the engine's own words")

    return seen, inspect


@pytest.mark.parametrize("error", [OutOfMemoryError, MemoryError])
def test_out_of_memory_halves_the_tile_and_says_so(upscaler: Upscaler, error: type[Exception]) -> None:
    picture = RNG.random((100, 100, 3), np.float32)
    expected = upscaler(picture, seam="exact")
    seen, inspect = starved(60, error)
    message = "out of memory with 1 tile of 100x100 at a time; going on with 1 tile of 72x72 at a time"
    with watched(upscaler, inspect), warnings.catch_warnings(record=True) as said:  # type: ignore[arg-type]
        warnings.simplefilter("always")
        result = upscaler(picture, seam="exact")
    assert next(str(warning.message) for warning in said) == message
    assert len(said) == 2
    assert all("\n" not in str(warning.message) for warning in said)
    assert said[0].filename == __file__
    assert seen[0] == 100
    assert seen[-1] == 52
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_out_of_memory_with_the_smallest_tile_is_told_clearly(upscaler: Upscaler) -> None:
    _, inspect = starved(0)
    with watched(upscaler, inspect), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.simplefilter("ignore")
        with pytest.raises(OutOfMemoryError, match=r"out of memory even with 1 tile of .*; close other programs"):
            upscaler(np.zeros((100, 100, 3), np.uint8))


def test_another_failure_of_the_engine_is_not_tried_again(upscaler: Upscaler) -> None:
    seen, inspect = starved(0, BackendError)
    with watched(upscaler, inspect), pytest.raises(BackendError, match="the engine's own words"):  # type: ignore[arg-type]
        upscaler(np.zeros((100, 100, 3), np.uint8))
    assert len(seen) <= 2


def test_cancelling(upscaler: Upscaler) -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    done: list[int] = []

    def cancel() -> bool:
        return len(done) == 2

    with pytest.raises(Cancelled, match="stopped before tile 3 of 4"):
        upscaler(picture, tile=32, progress=lambda tile, total: done.append(tile), cancel=cancel)
    assert done == [1, 2]
    assert upscaler(picture, cancel=lambda: False).shape == (200, 200, 3)


def test_many_pictures_come_in_order(upscaler: Upscaler, tmp_path: Path) -> None:
    pictures = [RNG.integers(0, 256, (10 + i, 20 - i, 3), np.uint8) for i in range(5)]
    for number, result in enumerate(upscaler.many(pictures, tile=32)):
        np.testing.assert_array_equal(result, upscaler(pictures[number], tile=32))
    Image.fromarray(pictures[0]).save(tmp_path / "a.png")
    results = upscaler.many([tmp_path / "a.png", tmp_path / "missing.png", tmp_path / "a.png"])
    assert next(results).size == (80, 40)  # type: ignore[union-attr, comparison-overlap]
    with pytest.raises(PictureError, match=r"missing\.png: no such file"):
        next(results)


def test_many_are_read_one_ahead_and_no_more(upscaler: Upscaler) -> None:
    taken: list[int] = []

    def pictures() -> object:
        for number in range(6):
            taken.append(number)
            yield np.zeros((4, 4, 3), np.uint8)

    results = upscaler.many(pictures())  # type: ignore[arg-type]
    next(results)
    assert taken == [0, 1]
    results.close()  # type: ignore[attr-defined]


def test_two_calls_at_once_give_what_two_in_turn_give() -> None:
    pictures = [RNG.integers(0, 256, (60 + 7 * i, 132, 3 + i), np.uint8) for i in range(2)]
    for precision in ("fp32", "int8"):
        with runtime.load(precision=precision, threads=2) as upscaler:
            alone = [upscaler(picture, tile=128) for picture in pictures]
            again = [upscaler(picture, tile=128) for picture in pictures]
            with ThreadPoolExecutor(2) as pool:
                together = list(pool.map(lambda picture: upscaler(picture, tile=128), pictures))
        for one, two, three in zip(alone, again, together, strict=True):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_array_equal(one, three)


def test_the_number_of_threads_reaches_the_engine(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.backends.onnx import OnnxBackend

    threads: list[int | None] = []
    load = OnnxBackend.load
    monkeypatch.setattr(OnnxBackend, "load", lambda self, *given: threads.append(given[-1]) or load(self, *given))
    runtime.upscale(np.zeros((4, 4), np.uint8), bundle=toy_bundle, threads=3)
    runtime.load(toy_bundle)
    assert threads == [3, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch": 0}, "batch=0"), ({"max_memory": "much"}, "max_memory=much"), ({"seam": "none"}, "seam=none")],
)
def test_options_that_cannot_work(upscaler: Upscaler, options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        upscaler(np.zeros((4, 4), np.uint8), **options)  # type: ignore[call-overload]


def test_a_full_disk_leaves_what_was_there(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"before")

    def full(self: Image.Image, path: Path, *args: object, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PictureError, match=r"b\.png: cannot be written \(No space left on device\); nothing was saved"):
        upscaler.to_file(tmp_path / "a.png", tmp_path / "b.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    assert (tmp_path / "b.png").read_bytes() == b"before"
