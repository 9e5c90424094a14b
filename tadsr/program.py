"""The contract between compress and export: what lies beside an exported program as `program.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.atomic import replacing
from runtime.errors import TadsrError

PROGRAM_FILE = "program.json"


def program_name(tile: int | None = None, precision: str = "fp32") -> str:
    """File of a program: `student.pt2`, `student.128.pt2` for one tile size, `student.int8.128.pt2`."""
    parts = ("student", "" if precision == "fp32" else precision, "" if tile is None else str(tile), "pt2")
    return ".".join(part for part in parts if part)


class ProgramError(TadsrError):
    """A program or its card is missing or of another kind."""


@dataclass(frozen=True)
class ProgramMetadata:
    """What an exporter must know of a program: image in, image out; every length is in LR pixels."""

    name: str
    """Name of the model, and of the bundle made of it."""
    scale: int
    """How many times larger the picture comes out."""
    align: int
    """Heights and widths must be multiples of this."""
    receptive_radius: int
    """Beyond it no input changes an output at all; the tile where the network sees the whole of one, as norms and
    attention over the whole picture do."""
    effective_radius: int
    """Beyond it no input changes any output by more than 1/4 level of 255, measured on photos."""
    tiles: list[int]
    """Tile sizes that suit the network, smallest first."""
    parameters: int
    """Numbers in the weights, as deployed."""
    macs_per_pixel: int
    """Multiply-accumulates per LR pixel, as deployed."""
    licence: str
    """Licence of the weights."""
    provenance: dict[str, Any]
    """How it was made: commands, seeds, versions; JSON-able."""

    def write(self, folder: Path) -> None:
        """Write `program.json` into the folder."""
        with replacing(folder / PROGRAM_FILE) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_metadata(program: Path) -> ProgramMetadata:
    """The card beside the program file. Raises `ProgramError` where it is missing or not one."""
    path = program.parent / PROGRAM_FILE
    try:
        return ProgramMetadata(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ProgramError(
            f"{path}: no such file; make the program and its card with `python -m compress.fold`"
        ) from error
    except (ValueError, TypeError) as error:
        raise ProgramError(
            f"{path}: not a card of a program ({error}); make it again with `python -m compress.fold`"
        ) from error
