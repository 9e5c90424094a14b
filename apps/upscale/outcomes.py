"""What became of each picture of a `tadsr upscale`."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.upscale.jobs import Job


class Status(StrEnum):
    """How a job ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """One job and what became of it."""

    job: Job
    status: Status
    size: tuple[int, int] | None = None
    """(width, height) of the result; None where nothing was made."""
    seconds: float = 0.0
    """From reading to saving."""
    error: str | None = None
    """One line of what went wrong."""

    def row(self) -> dict[str, object]:
        """The row of this picture in JSON, which has the same keys for all."""
        return {
            "source": str(self.job.source),
            "target": str(self.job.target),
            "status": self.status.value,
            "size": self.size,
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


def as_json(outcomes: Sequence[Outcome]) -> str:
    """One JSON document of all pictures, and how many have each status; without a newline at its end."""
    counts = Counter(outcome.status for outcome in outcomes)
    totals: dict[str, object] = {"pictures": len(outcomes), **{status.value: counts[status] for status in Status}}
    totals["seconds"] = round(sum(outcome.seconds for outcome in outcomes), 3)
    return json.dumps({"pictures": [outcome.row() for outcome in outcomes], "totals": totals}, indent=2)
