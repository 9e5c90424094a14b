"""A process that runs cases one after the other and says of each that it begins and how it ended, a line of JSON each.

python -m tests.fuzzing.worker FOLDER SEED FIRST END
"""

import faulthandler
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

MEMORY = 4 * 2**30


def main() -> None:
    """Run cases FIRST to END - 1 of SEED with the samples in FOLDER."""
    faulthandler.enable()
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where libraries in C may write what they like

    def tell(**message: object) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    _limit_memory()
    from .cases import Cases

    folder, seed, first, end = Path(sys.argv[1]), *map(int, sys.argv[2:])
    cases = Cases(folder / "samples", seed)
    for number in range(first, end):
        place = folder / f"case{number}"
        place.mkdir()
        tell(number=number)
        try:
            result = cases.run(number, place)
            tell(form=result.form, outcome=result.outcome)
        except Exception:
            tell(form="any", outcome="wrong", detail=traceback.format_exc())
        shutil.rmtree(place)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main()
