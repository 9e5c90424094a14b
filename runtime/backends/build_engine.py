"""Build a TensorRT engine of an ONNX file that tadsr wrote, on the machine and for the GPU that will run it.

    python build_engine.py student.int8.trt.onnx --tf32
    python build_engine.py student.fp16.trt.onnx --tiles 128 256 --batch 4

It needs Python, an NVIDIA driver and TensorRT (pip install "tensorrt-cu13>=11.0,<11.1"), and nothing of tadsr.
"""

import argparse
import ctypes
import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TILES: tuple[int, ...] = (128,)
ALIGN = 1
"""These two are filled in beside an ONNX file, from the card of its program."""
INPUT = "lr"
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
CAPABILITY = (75, 76)
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of CUDA's driver API."""


class BuildError(Exception):
    """No engine can be built, in one line."""


@dataclass(frozen=True)
class Gpu:
    """What an engine is built for: another GPU needs another engine."""

    name: str
    capability: str
    """Compute capability, such as 8.9."""


@dataclass(frozen=True)
class Settings:
    """What an engine is built with."""

    tiles: tuple[int, ...] = TILES
    """Sides of the tiles that it takes, in LR pixels: an optimisation profile each."""
    batch: int = 1
    """How many tiles it takes at once, at most; it is tuned for that many."""
    align: int = ALIGN
    """What divides the side of every tile."""
    tf32: bool = False
    """Let float32 convolutions run in TF32, with 10 bits of mantissa: faster, and no longer float32."""


def find_gpu() -> Gpu:
    """The first GPU that CUDA sees. Raises ``BuildError`` where there is none."""
    try:
        cuda = ctypes.CDLL(DRIVER)
    except OSError:
        raise BuildError(f"no NVIDIA driver is here ({DRIVER}); build on a machine with an NVIDIA GPU") from None
    device, name, value = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        raise BuildError("CUDA sees no GPU; build on a machine with an NVIDIA GPU, or look at CUDA_VISIBLE_DEVICES")
    cuda.cuDeviceGetName(name, len(name), device)
    capability = []
    for attribute in CAPABILITY:
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(str(value.value))
    return Gpu(name.value.decode(), ".".join(capability))


def engine_path(name: str, sha256: str, folder: Path, settings: Settings, gpu: Gpu, version: str) -> Path:
    """The engine's file, whose name tells all that it depends on; ``name`` and ``sha256`` are the ONNX file's."""
    facts = {"onnx": sha256, "tensorrt": version}
    key = hashlib.sha256(json.dumps({**facts, **asdict(settings), **asdict(gpu)}, sort_keys=True).encode()).hexdigest()
    stem = name.removesuffix(".onnx").removesuffix(".trt")
    return folder / f"{stem}.{_machine(gpu, version)}.{key[:16]}.engine"


def build(name: str, onnx: bytes, folder: Path, settings: Settings) -> Path:
    """The engine of an ONNX file with that name, in the folder; one that lies there already is taken.

    Raises ``BuildError``; ``OSError`` of writing passes through.
    """
    for tile in settings.tiles:
        if tile < 1 or tile % settings.align:
            raise BuildError(f"tile {tile}: must be a multiple of {settings.align}, the network's stride; see --tiles")
    if settings.batch < 1:
        raise BuildError(f"batch {settings.batch}: must be 1 or more; see --batch")
    try:
        import tensorrt
    except ImportError as error:
        raise BuildError(f'tensorrt: {error}; get it with: pip install "tensorrt-cu13>=11.0,<11.1"') from error
    gpu = find_gpu()
    path = engine_path(name, hashlib.sha256(onnx).hexdigest(), folder, settings, gpu, tensorrt.__version__)
    if not path.exists():
        timings = folder / f"{_machine(gpu, tensorrt.__version__)}.timings"
        _write(path, _serialized(tensorrt, name, onnx, settings, timings))
    return path


def _serialized(trt: Any, name: str, onnx: bytes, settings: Settings, timings: Path) -> Any:
    """The engine's bytes. What was timed is read from ``timings``, where it exists, and written there again."""
    log = ErrorLog(trt)
    builder = trt.Builder(log.logger)
    # From version 11 on every network is strongly typed, and the flag changes nothing.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse(onnx):
        raise BuildError(f"{name}: TensorRT does not read it: {parser.get_error(0).desc()}")
    config = builder.create_builder_config()
    if not settings.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    for tile in settings.tiles:
        profile = builder.create_optimization_profile()
        most = (settings.batch, 3, tile, tile)
        profile.set_shape(INPUT, (1, 3, tile, tile), most, most)
        if config.add_optimization_profile(profile) < 0:
            raise BuildError(f"{name}: TensorRT refuses the tile {tile}: {log.last()}")
    cache = config.create_timing_cache(timings.read_bytes() if timings.exists() else b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BuildError(f"{name}: TensorRT could not build an engine: {log.last()}")
    _write(timings, cache.serialize())
    return engine


class ErrorLog:
    """What TensorRT says of errors; its `logger` is what TensorRT is given."""

    def __init__(self, trt: Any) -> None:
        self.messages: list[str] = []
        self.logger = _logger(trt, self.messages)

    def last(self) -> str:
        """The last of them."""
        return self.messages[-1] if self.messages else "it does not say why"


def _logger(trt: Any, messages: list[str]) -> Any:
    class Errors(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                messages.append(" ".join(msg.split()))

    return Errors()


def _machine(gpu: Gpu, version: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-")
    return f"{name}.sm{gpu.capability.replace('.', '')}.trt{version}"


def _write(path: Path, data: Any) -> None:
    """Complete or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build a TensorRT engine for the GPU of this machine.")
    parser.add_argument("onnx", type=Path, metavar="FILE.trt.onnx")
    parser.add_argument("-o", "--output", type=Path, help="folder of the engine; default: where the ONNX file is")
    parser.add_argument("--tiles", type=int, nargs="+", default=TILES, help="sides in pixels; default: %(default)s")
    parser.add_argument("--batch", type=int, default=1, help="tiles at once, at most; default: %(default)s")
    parser.add_argument("--tf32", action="store_true", help="let float32 convolutions run in TF32: faster, less exact")
    arguments = parser.parse_args()
    settings = Settings(tuple(arguments.tiles), arguments.batch, ALIGN, arguments.tf32)
    try:
        path = build(
            arguments.onnx.name,
            arguments.onnx.read_bytes(),
            arguments.output or arguments.onnx.parent,
            settings,
        )
    except (BuildError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
