"""Engines that run here give the picture that ONNX Runtime gives, from one thread and from several."""

import importlib.util
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import runtime
from runtime.backends import BACKENDS, Choice, Session, Unavailable, choose
from runtime.backends.base import CPU
from runtime.bundle import Artifact, Bundle, read_bundle
from runtime.errors import BackendError
from tests.conftest import write_bundle_of
from tests.export.programs import CARD, TILE, needs_executorch, needs_int8
from train.evaluation.metrics import psnr

ROOT = Path(__file__).parents[3]
RNG = np.random.default_rng(0)
TILES = [RNG.random((1, 3, TILE, TILE), np.float32) for _ in range(6)]
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs openvino, which is not installed"
)
EXACT, COARSE = 90, 30
"""Decibels: of float32, and of INT8, where after a few layers two right roundings have nothing in common."""


@pytest.fixture(scope="module")
def bundle(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One network in every file that an engine of this machine takes."""
    from export.executorch import exporter as executorch
    from export.onnx import exporter as onnx
    from tadsr.program import open_program

    folder = tmp_path_factory.mktemp("engines")
    files = {}
    for name, exporter in (
        ("student.pt2", onnx.FP32),
        ("student.int8.pt2", onnx.INT8),
        (f"student.{TILE}.pt2", executorch.FP32),
        (f"student.int8.{TILE}.pt2", executorch.INT8),
    ):
        program = open_program(programs / name)
        path = folder / f"{exporter.precision}{exporter.suffix}"
        exporter.export(program, path)
        files[Artifact(path.name, exporter.name, exporter.precision, program.tile)] = path.read_bytes()
    radii = {"align": CARD.align, "receptive_radius": CARD.receptive_radius, "effective_radius": CARD.effective_radius}
    return read_bundle(write_bundle_of(folder / "tiny.tadsr", files, tiles=[TILE], **radii))


def load(bundle: Bundle, backend: str, precision: str = "fp32", threads: int | None = None) -> Session:
    if isinstance(state := BACKENDS[backend].probe(), Unavailable):
        pytest.skip(state.reason)
    choice = choose(bundle.manifest, backend, precision)[0]
    return choice.backend.load(bundle, choice.artifact, threads)


ENGINES = [
    (name, precision, decibels)
    for name, backend in BACKENDS.items()
    if backend.device == CPU and name != "onnx"
    for precision, decibels in (("fp32", EXACT), ("int8", COARSE))
]
"""Every engine of processors, which all compute alike."""


@needs_int8
@pytest.mark.parametrize(("backend", "precision", "decibels"), ENGINES)
def test_an_engine_agrees_with_onnx_runtime(bundle: Bundle, backend: str, precision: str, decibels: float) -> None:
    ours, theirs = load(bundle, backend, precision), load(bundle, "onnx", precision)
    for tile in TILES:
        result = ours.run(tile)
        assert (result.shape, result.dtype) == ((1, 3, 4 * TILE, 4 * TILE), np.float32)
        assert psnr(result[0].transpose(1, 2, 0), theirs.run(tile)[0].transpose(1, 2, 0)) >= decibels


@needs_int8
@pytest.mark.parametrize(("backend", "precision", "decibels"), ENGINES)
def test_threads_get_the_pictures_that_they_would_get_alone(
    bundle: Bundle, backend: str, precision: str, decibels: float
) -> None:
    session = load(bundle, backend, precision)
    alone = [session.run(tile) for tile in TILES]  # answers do not share memory, or the first would be the last
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(session.run, TILES * 4))
    for one, other in zip(alone * 4, together, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_int8
@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda tile: tile[0][None],
        lambda tile: tile.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
        lambda tile: np.broadcast_to(tile, tile.shape),
    ],
)
@pytest.mark.parametrize(("backend", "precision", "decibels"), ENGINES[::2])
def test_memory_may_be_arranged_in_any_way(
    bundle: Bundle, backend: str, precision: str, decibels: float, arrange: Callable[[np.ndarray], np.ndarray]
) -> None:
    session = load(bundle, backend, precision)
    np.testing.assert_array_equal(session.run(arrange(TILES[0])), session.run(TILES[0]))


@needs_openvino
def test_openvino_runs_batches_and_free_sizes(toy_bundle: Path) -> None:
    opened = read_bundle(toy_bundle)
    ours, theirs = load(opened, "openvino"), load(opened, "onnx")
    assert ours.max_batch is None
    for shape in ((3, 3, 8, 12), (1, 3, 64, 20), (2, 3, 8, 8)):
        batch = RNG.random(shape, np.float32)
        np.testing.assert_allclose(ours.run(batch), theirs.run(batch), atol=1e-5)
    with pytest.raises(BackendError, match=r"^openvino failed: .*; try a smaller tile or another backend$"):
        ours.run(np.zeros((1, 4, 8, 8), np.float32))


@needs_openvino
@pytest.mark.parametrize("threads", [1, 2, None])
def test_openvino_computes_float32_with_the_threads_asked_for(toy_bundle: Path, threads: int | None) -> None:
    session = load(read_bundle(toy_bundle), "openvino", threads=threads)
    compiled = session._request.get_compiled_model()  # type: ignore[attr-defined]
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert threads is None or compiled.get_property("INFERENCE_NUM_THREADS") == threads


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that a handler may take")
@pytest.mark.parametrize(
    "backend",
    ["onnx", pytest.param("openvino", marks=needs_openvino), pytest.param("executorch", marks=needs_executorch)],
)
def test_a_signal_after_another_thread_let_the_engine_go(backend: str) -> None:
    code = f"""
        import signal, threading, runtime
        signal.signal(signal.SIGUSR1, lambda *_: None)
        held = [runtime.load(backend={backend!r})]
        ended = threading.Thread(target=held.clear)
        ended.start(), ended.join()
        signal.raise_signal(signal.SIGUSR1)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_int8
@needs_executorch
def test_executorch_refuses_other_tiles(bundle: Bundle) -> None:
    session = load(bundle, "executorch")
    assert session.max_batch == 1
    with pytest.raises(BackendError, match=r"executorch failed: .*is the tile of the model's size"):
        session.run(np.zeros((1, 3, TILE // 2, TILE), np.float32))
    session.run(TILES[0])


@needs_int8
@needs_executorch
def test_executorch_has_one_pool_of_threads_for_a_process(bundle: Bundle) -> None:
    code = f"""
        import numpy as np, runtime, sys
        from executorch.extension.pybindings import portable_lib
        from runtime.backends import open_session
        bundle = runtime.read_bundle({str(bundle.path)!r})
        tile = np.zeros((1, 3, {TILE}, {TILE}), np.float32)
        first = open_session(bundle, "executorch", "fp32", threads=1).session
        first.run(tile)
        for threads in (1, None):
            open_session(bundle, "executorch", "fp32", threads=threads).session.run(tile)
        assert portable_lib._threadpool_get_thread_count() == 1
        try:
            open_session(bundle, "executorch", "fp32", threads=2)
        except runtime.BackendError as error:
            sys.stdout.write(str(error))
        first.run(tile)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "threads=2: executorch runs with 1 in this process, as its first model was loaded; use threads=1 or start anew"
    )


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        pytest.param("openvino", "onnx", marks=needs_openvino),
        pytest.param("executorch", "executorch", marks=needs_executorch),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path, backend: str, kind: str) -> None:
    artifact = Artifact("toy.bin", kind, "fp32", 32)
    opened = read_bundle(write_bundle_of(tmp_path / "toy.tadsr", {artifact: b"not a model"}))
    with pytest.raises(BackendError, match=f"^{backend} cannot load the model: .*$"):
        load(opened, backend)


@needs_openvino
def test_openvino_refuses_other_names(tmp_path: Path, toy_bundle: Path) -> None:
    import onnx

    model = onnx.load(toy_bundle / "toy.onnx")
    model.graph.node[-1].output[0] = model.graph.output[0].name = "other"
    artifact = Artifact("toy.onnx", "onnx", "fp32")
    path = write_bundle_of(tmp_path / "toy.tadsr", {artifact: model.SerializeToString()})
    with pytest.raises(BackendError, match="must map 'lr' to 'sr'"):
        load(read_bundle(path), "openvino")


@needs_int8
def test_the_upscaler_takes_every_engine(bundle: Bundle) -> None:
    picture = RNG.integers(0, 256, (40, 50, 3), np.uint8)
    here = [name for name, status in runtime.backends(bundle.path).items() if status.available]
    assert "onnx" in here
    expected = runtime.upscale(picture, bundle=bundle.path, backend="onnx", precision="fp32", tile=TILE)
    for name in here:
        with runtime.load(bundle.path, backend=name, precision="fp32") as upscaler:
            assert upscaler.backend == name
            result = upscaler(picture, tile=TILE)
        assert np.abs(result.astype(int) - expected).max() <= 1


def test_sessions_are_of_choices(bundle: Bundle) -> None:
    assert choose(bundle.manifest, "onnx", "fp32")[0] == Choice(BACKENDS["onnx"], bundle.manifest.artifacts[0])
