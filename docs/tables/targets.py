"""What the shipped model is to reach, beside what it reaches: computed from the measured figures, never typed."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from docs.tables.markdown import table
from docs.tables.quality import FLOAT, INT8, Figures, gathered, gmacs
from docs.tables.speed import fastest_int8

PSNR_Y = 22.9
SSIM_Y = 0.662
SHARE_OF_THE_WAY = 2 / 3
"""From bicubic's naturalness to the originals'."""


class Target(NamedTuple):
    """One target and its figure."""

    text: str
    figure: float
    form: str
    least: float = -math.inf
    most: float = math.inf

    @property
    def reached(self) -> bool:
        """Whether the figure is within its limits, ends included."""
        return self.least <= self.figure <= self.most

    @property
    def verdict(self) -> str:
        """The word for it in the table."""
        return "reached" if self.reached else "**missed**"

    @property
    def limits(self) -> str:
        """Those that there are, as text."""
        signs = (("≥", self.least), ("≤", self.most))
        return ", ".join(f"{sign} {self.form.format(limit)}" for sign, limit in signs if math.isfinite(limit))


def most_natural(known: dict[str, Figures]) -> float:
    """The naturalness that lies ``SHARE_OF_THE_WAY`` from bicubic's to the originals'; lower is better."""
    bicubic, originals = (float(known[key]["naturalness"]) for key in ("bicubic", "HR"))
    return bicubic + SHARE_OF_THE_WAY * (originals - bicubic)


def of_quality(known: dict[str, Figures]) -> Iterator[Target]:
    """Of the shipped INT8 file, and of the student beside its teacher, as distilled and as deployed."""
    shipped, teacher = known[INT8], known["teacher"]
    yield Target("shipped INT8: PSNR-Y", shipped["psnr_y"], "{:.2f} dB", least=PSNR_Y)
    yield Target("shipped INT8: SSIM-Y", shipped["ssim_y"], "{:.3f}", least=SSIM_Y)
    way = "shipped INT8: naturalness, two thirds of the way from bicubic's to the originals'"
    yield Target(way, shipped["naturalness"], "{:.2f}", most=most_natural(known))
    for which, student in (("distilled", known["student"]), ("deployed", known[FLOAT])):
        beside = f"student as {which} (1 step) beside the teacher (15 steps)"
        yield Target(f"{beside}: PSNR-Y", student["psnr_y"], "{:.2f} dB", least=teacher["psnr_y"])
        yield Target(f"{beside}: SSIM-Y", student["ssim_y"], "{:.3f}", least=teacher["ssim_y"])
        yield Target(f"{beside}: naturalness", student["naturalness"], "{:.2f}", most=teacher["naturalness"])
        ratio = teacher["macs_per_pixel"] / student["macs_per_pixel"]
        yield Target(f"{beside}: times fewer multiply-accumulates", ratio, "{:.1f}×", least=30)


def of_size(known: dict[str, Figures], report: dict[str, Any], manifest: dict[str, Any]) -> Iterator[Target]:
    """Of compression, and of what is deployed."""
    unmet = len(report["breaches"]) + len(report["notes"])
    yield Target("compression budgets that are broken, or not checked", unmet, "{:.0f}", most=0)
    total = sum(artifact["size"] for artifact in manifest["artifacts"])
    yield Target("bundle, all files", total / 1e6, "{:.1f} MB", most=30)
    deployed = known[FLOAT]
    yield Target("deployed: GMACs", gmacs(deployed["macs_per_pixel"]), "{:.1f}", most=8)
    yield Target("deployed: parameters", deployed["parameters"] / 1e6, "{:.2f} M", most=4)


REFERENCE_NETWORKS = {"RRDB (x4plus)": (20, 80), "SRVGG (general-x4v3)": (1.5, 5)}
"""By network, how many times as long as ours it is to take: fp32 by fp32, and our INT8 by its fp32."""


def of_speed(report: dict[str, Any]) -> Iterator[Target]:
    """Beside the reference networks, at 128×128 to 512×512."""
    times = {row["network"]: row for row in report["peers"]}
    best = fastest_int8(report)["median_ms"]
    for network, (in_float, in_int8) in REFERENCE_NETWORKS.items():
        yield Target(f"{network} over ours, both fp32", times[network]["ratio_to_ours"], "{:.1f}×", least=in_float)
        ratio = times[network]["median_ms"] / best
        yield Target(f"{network} in fp32 over our fastest INT8", ratio, "{:.1f}×", least=in_int8)


def targets(quality: dict[str, Any], report: dict[str, Any], manifest: dict[str, Any], speed: dict[str, Any]) -> str:
    """A row per target."""
    known = gathered(quality, report)
    rows = [*of_quality(known), *of_size(known, report, manifest), *of_speed(speed)]
    lines = [[row.text, row.limits, row.form.format(row.figure), row.verdict] for row in rows]
    return table(["target", "asked", "measured", ""], lines)
