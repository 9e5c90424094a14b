"""The engines that an ONNX file is run in to prove it, all asked in the same way."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.protocol import Engine, Tile
from runtime.backends.base import INPUT, OUTPUT
from runtime.backends.openvino import compiled_model

PROVIDERS = ["CPUExecutionProvider"]
ERRORS_ONLY = 3

Run = Callable[[Sequence[str], Tile], list[NDArray[Any]]]
"""Names of outputs and a picture -> what they are."""
Start = Callable[[bytes], Run]
"""A model's bytes -> the model in an engine, which takes as many threads as it sees processors."""


def onnxruntime_session(
    model: bytes, threads: int | None = None, optimized: Path | None = None, optimize: bool = True
) -> Any:
    """A session on the CPU; ``optimized`` is where ONNX Runtime writes what it makes of the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Threads of one session would go on spinning into the next session's run, which is timed beside it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model, options, providers=PROVIDERS)


def in_onnxruntime(model: bytes, threads: int | None = None) -> Run:
    """The model in ONNX Runtime."""
    return _run(onnxruntime_session(model, threads))


def as_written(model: bytes, threads: int | None = None) -> Run:
    """The model in ONNX Runtime with nothing fused and nothing rearranged: what a file for another engine says."""
    return _run(onnxruntime_session(model, threads, optimize=False))


def _run(session: Any) -> Run:
    return lambda names, picture: [np.asarray(value) for value in session.run(list(names), {INPUT: picture})]


def in_openvino(model: bytes, threads: int | None = None) -> Run:
    """The model in OpenVINO, as the runtime has it computed."""
    compiled = compiled_model(model, threads)

    def run(names: Sequence[str], picture: Tile) -> list[NDArray[Any]]:
        answers = compiled(picture)
        return [np.array(answers[compiled.output(name)]) for name in names]

    return run


def engine_of(run: Run) -> Engine:
    """What becomes of pictures."""

    def answer(tile: Tile) -> Tile:
        (picture,) = run([OUTPUT], tile)
        return picture

    return answer


ONNX_RUNTIME, OPENVINO = "onnxruntime", "openvino"
ENGINES: Mapping[str, Start] = {ONNX_RUNTIME: in_onnxruntime, OPENVINO: in_openvino}
"""By the name of their package."""


def installed() -> dict[str, Start]:
    """The engines that are here."""
    return {name: start for name, start in ENGINES.items() if importlib.util.find_spec(name) is not None}
