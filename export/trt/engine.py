"""Engines on this machine, where it has TensorRT and a GPU: built into the cache, run, and the script for others."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import torch

from export.errors import ExportError
from export.protocol import Engine, Tile
from export.torch_onnx import INPUT, OUTPUT
from export.trt import build_engine
from export.trt.build_engine import BuildError, Settings
from runtime.atomic import replacing
from runtime.cache import cache_folder
from runtime.program import ProgramCard

SCRIPT = "build_engine.py"


def lacking() -> str | None:
    """Why no engine can be built here and what mends it, or None where one can."""
    if importlib.util.find_spec("tensorrt") is None:
        return 'tensorrt is not installed; get it with: pip install "tadsr[tensorrt]"'
    try:
        build_engine.find_gpu()
    except BuildError as error:
        return str(error)
    return None


def write_script(folder: Path, card: ProgramCard) -> Path:
    """A script that builds engines where tadsr is not: ``build_engine``, with the card's tiles and alignment."""
    source = Path(build_engine.__file__).read_text(encoding="utf-8")
    for line, filled in (
        ("TILES: tuple[int, ...] = (128,)\n", f"TILES: tuple[int, ...] = {tuple(card.tiles)}\n"),
        ("ALIGN = 1\n", f"ALIGN = {card.align}\n"),
    ):
        assert source.count(line) == 1
        source = source.replace(line, filled)
    with replacing(folder / SCRIPT) as draft:
        draft.write_text(source, encoding="utf-8")
    return folder / SCRIPT


def build(path: Path) -> Path:
    """The file's engine for this machine's GPU, from the cache or built into it. Raises ``ExportError``."""
    told = {pair.key: pair.value for pair in onnx.load(path).metadata_props}
    tiles = tuple(int(tile) for tile in told["tiles"].split(","))
    # Only float32 files promise float32; between integers TF32 loses nothing that anyone would see.
    settings = Settings(tiles, align=int(told["align"]), tf32=told["precision"] != "fp32")
    try:
        return build_engine.build(path, cache_folder(), settings)
    except BuildError as error:
        raise ExportError(str(error)) from error


def load(path: Path, scale: int) -> Engine:
    """An engine file to run, on tiles that it has a profile for. Raises ``ExportError`` where it takes no such tile."""
    import tensorrt as trt

    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise ExportError(f"{path}: not an engine for this machine; delete it, and it will be built anew")
    context = engine.create_execution_context()
    stream = torch.cuda.Stream()

    def run(tile: Tile) -> Tile:
        n, _, height, width = tile.shape
        profiles = [
            tuple(engine.get_tensor_profile_shape(INPUT, i)[2]) for i in range(engine.num_optimization_profiles)
        ]
        taken = [i for i, most in enumerate(profiles) if most[2:] == (height, width) and n <= most[0]]
        if not taken:
            raise ExportError(f"{path}: takes no {n} tiles of {height}x{width}; build an engine with such --tiles")
        with torch.cuda.stream(stream):
            lr = torch.from_numpy(np.ascontiguousarray(tile)).cuda()
            sr = torch.empty((n, 3, scale * height, scale * width), device="cuda")
            context.set_optimization_profile_async(taken[0], stream.cuda_stream)
            context.set_input_shape(INPUT, tile.shape)
            context.set_tensor_address(INPUT, lr.data_ptr())
            context.set_tensor_address(OUTPUT, sr.data_ptr())
            if not context.execute_async_v3(stream.cuda_stream):
                raise ExportError(f"{path}: TensorRT could not run it; delete it, and it will be built anew")
        stream.synchronize()
        return sr.cpu().numpy()

    return run
