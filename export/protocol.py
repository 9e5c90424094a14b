"""What every exporter is: it renders one program for one engine, and proves what it wrote."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch.export import ExportedProgram


@dataclass(frozen=True)
class Report:
    """How far an artifact's answers are from the program's, over all test tiles."""

    worst_psnr: float
    """Lowest PSNR of any tile in dB, peak 1."""
    largest_error: float
    """Largest absolute difference of any value, in [0, 1]."""


class Exporter(Protocol):
    """One row of the table in ``export.exporters``."""

    name: str
    """Name of the backend that runs the artifact."""
    precision: str
    """Precision of the artifact, as the manifest writes it."""
    suffix: str
    """Suffix of the file, with its dot."""
    required_psnr: float
    """Lowest PSNR against the program in dB that ``verify`` may find."""

    def export(self, program: ExportedProgram, path: Path) -> None:
        """Write the artifact. Raises ``ExportError``."""

    def verify(self, path: Path, program: ExportedProgram, align: int) -> Report:
        """The artifact's answers in its own engine beside the program's. Raises ``ExportError`` if they are too far."""
