"""How much memory the engines and the codecs take here: `python -m apps.benchmarks.memory > runtime/tiles/memory.json`.

The runtime keeps to a limit of memory by these figures. Every one is the most resident memory of a fresh process.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import runtime
from apps.benchmarks.compare_files import usable_files
from apps.benchmarks.worker import measure_in_worker
from apps.errors import CommandError
from tadsr.commands import run, say, typed
from tadsr.measuring import describe_machine, describe_versions

SIDES = (64, 128, 192, 256, 384, 512)
CODEC_WIDTH = 10_000
CODECS = (".png", ".jpg", ".tif")
CONDITIONS = (
    "points: [pixels of the input at once, bytes]: Python, the runtime, the loaded engine, and the calls with one tile "
    "of noise. codec: what pyvips adds to write and read 8-bit RGB rows of this width, the largest of its formats"
)


def measure(bundle: Path, threads: int | None) -> dict[str, Any]:
    """The content of `runtime/tiles/memory.json`, but for the command. Raises `CommandError` where a process fails."""
    usable = usable_files(runtime.read_bundle(bundle))
    artifacts = [choice.artifact for choice in usable if choice.backend.name == choice.artifact.backend]
    engines = [
        {
            "backend": artifact.backend,
            "precision": artifact.precision,
            "points": [[side * side, _peak("engine", bundle, artifact.file, side, threads or 0)] for side in SIDES],
        }
        for artifact in artifacts
    ]
    base = _peak("base")
    codec = max(_peak("codec", suffix, CODEC_WIDTH) - base for suffix in CODECS)
    return {
        "conditions": CONDITIONS,
        "machine": describe_machine(),
        "versions": describe_versions("numpy", "pillow", "onnxruntime", "pyvips-binary"),
        "threads": threads,
        "engines": engines,
        "codec": {"width": CODEC_WIDTH, "bytes": codec},
    }


def _peak(task: str, *arguments: object) -> int:
    peak = measure_in_worker(task, *arguments)
    if peak is None:
        raise CommandError("the system does not tell a process how much memory it holds; measure on Linux or macOS")
    return int(peak)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=runtime.DEFAULT_BUNDLE, help="default: the one that comes along")
    parser.add_argument("--threads", type=int, help="of the engine; default: its choice")
    options = parser.parse_args(argv)
    command = typed("apps.benchmarks.memory", argv)
    say(json.dumps({"command": command, **measure(options.bundle, options.threads)}, indent=2))


if __name__ == "__main__":
    run(main)
