"""The figures of README.md."""

from typing import Any

from . import quality, speed


def figures(qualities: dict[str, Any], report: dict[str, Any], times: dict[str, Any]) -> str:
    """Quality and speed in short; docs/results.md has all of it."""
    return f"""### Quality

32 validation pairs, 512×512, degraded as real photos are (blur, resizing, noise, JPEG); lower is better for
naturalness, ΔE and colour cast. Fine detail is the share of the originals' high-frequency energy; noise has some too.

{quality.in_short(qualities, report)}

### Speed

{speed.networks(times)}

{speed.files(times)}

{speed.conditions(times)}.

All stages, the targets, pictures, memory, and where it fails: [docs/results.md](docs/results.md)."""
