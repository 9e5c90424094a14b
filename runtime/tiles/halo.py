"""A tile's halo: the pixels at its inner edges that only let the others be right, and are dropped.

A bundle's manifest says how far the network looks: `receptive_radius` bounds what can change an output at all,
`effective_radius` what changes it visibly (`compress.fold` measures both). The seam that is asked for chooses between
them.
"""

import math
from collections.abc import Callable, Mapping

from ..manifest import Artifact, Manifest

INT8_FRACTION = 7 / 8
"""Of the receptive radius. In INT8 the effective radius says too little: the smallest difference can tip a rounding,
and a step of INT8 is more than a level. Inside this fraction hardly any does (docs/tiling.md)."""


def _fast(manifest: Manifest, artifact: Artifact) -> int:
    if artifact.precision == "int8":
        return max(manifest.effective_radius, math.ceil(INT8_FRACTION * manifest.receptive_radius))
    return manifest.effective_radius


HALOS: Mapping[str, Callable[[Manifest, Artifact], int]] = {
    "fast": _fast,
    "exact": lambda manifest, artifact: manifest.receptive_radius,
}
"""By the name of a seam, the width of the halo in pixels of the input."""
