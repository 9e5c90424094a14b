"""The ``tadsr`` command, also as ``python -m tadsr`` and by the path of this file."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

if "tadsr" not in sys.modules:  # run by its path: there is nothing on sys.path to find the package by
    _here = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "tadsr", _here / "__init__.py", submodule_search_locations=[str(_here)]
    )
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["tadsr"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["tadsr"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; its codes are those of ``apps.cli.main``."""
    from tadsr import packages

    try:
        packages.prefer()
    except ImportError as error:
        sys.exit(f"error: {error}")
    from apps.cli import main as run

    run(arguments)


if __name__ == "__main__":
    main()
