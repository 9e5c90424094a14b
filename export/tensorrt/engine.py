"""Engines on this machine, where it has TensorRT and a GPU: built into the cache, and the script for others."""

import importlib.util
from pathlib import Path

import onnx

from export.errors import ExportError
from runtime.atomic import replacing
from runtime.backends import build_engine
from runtime.backends.build_engine import BuildError, Settings
from runtime.cache import cache_folder
from tadsr.program import ProgramMetadata

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


def write_script(folder: Path, metadata: ProgramMetadata) -> Path:
    """A script that builds engines where tadsr is not: ``build_engine``, with the program's tiles and alignment."""
    source = Path(build_engine.__file__).read_text(encoding="utf-8")
    for line, filled in (
        ("TILES: tuple[int, ...] = (128,)\n", f"TILES: tuple[int, ...] = {tuple(metadata.tiles)}\n"),
        ("ALIGN = 1\n", f"ALIGN = {metadata.align}\n"),
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
        return build_engine.build(path.name, path.read_bytes(), cache_folder(), settings)
    except BuildError as error:
        raise ExportError(str(error)) from error
