"""How much memory the engines and the codecs take here: `python -m apps.benchmarks.memory > runtime/tiles/memory.json`.

The runtime keeps to a limit of memory by these figures. Every one is the most resident memory of a fresh process.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import runtime
from apps.benchmarks.precisions import usable_files
from apps.errors import CommandError
from tadsr.commands import run, typed
from tadsr.measuring import describe_machine, describe_versions

SIDES = (64, 128, 192, 256, 384, 512)
CODEC_WIDTH = 10_000
CODECS = (".png", ".jpg", ".tif")
CONDITIONS = (
    "points: [pixels of the input at once, bytes]: Python, the runtime, the loaded engine, and the calls with one tile "
    "of noise. codec: what pyvips adds to write and read 8-bit RGB rows of this width, the largest of its formats"
)


def measure(bundle: Path, threads: int | None) -> dict[str, Any]:
    """The content of `runtime/tiles/memory.json`. Raises `CommandError` where a process fails or tells no figure."""
    own = [c.artifact for c in usable_files(runtime.read_bundle(bundle)) if c.backend.name == c.artifact.backend]
    engines = [
        {
            "backend": artifact.backend,
            "precision": artifact.precision,
            "points": [
                [side * side, _peak("engine", str(bundle), artifact.file, str(side), str(threads or 0))]
                for side in SIDES
            ],
        }
        for artifact in own
    ]
    base = _peak("base")
    codec = max(_peak("codec", suffix, str(CODEC_WIDTH)) - base for suffix in CODECS)
    return {
        "command": typed("apps.benchmarks.memory"),
        "conditions": CONDITIONS,
        "machine": describe_machine(),
        "versions": describe_versions("numpy", "pillow", "onnxruntime", "pyvips-binary"),
        "threads": threads,
        "engines": engines,
        "codec": {"width": CODEC_WIDTH, "bytes": codec},
    }


def _peak(*arguments: str) -> int:
    script = Path(__file__).with_name("fresh_memory.py")
    home = str(Path(runtime.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-P", str(script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.isdigit():
        reason = (done.stderr.strip().splitlines() or ["this system does not tell a process its memory"])[-1]
        raise CommandError(f"measuring {' '.join(arguments)} failed: {reason}")
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=runtime.DEFAULT_BUNDLE, help="default: the one that comes along")
    parser.add_argument("--threads", type=int, help="of the engine; default: its choice")
    options = parser.parse_args()
    sys.stdout.write(json.dumps(measure(options.bundle, options.threads), indent=2) + "\n")


if __name__ == "__main__":
    run(main)
