"""Writes the figures of quality.json and speed.json into README.md: `python docs/figures/render.py`.

The two files are written by the measuring commands themselves, named in README.md under the tables.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

WEIGHTS = "train/weights/mobile"
MODELS = {
    "bicubic": "bicubic",
    f"{WEIGHTS}/teacher.safetensors": "teacher, 15 steps",
    f"{WEIGHTS}/student.safetensors": "student, 1 step",
    "runtime/models/mobile.tadsr": "**shipped bundle**",
    f"{WEIGHTS}/autoencoder.safetensors": "autoencoder on the originals",
    "HR": "the originals",
}
COLUMNS = {
    "psnr_y": ("PSNR-Y", "{:.2f}"),
    "ssim_y": ("SSIM-Y", "{:.3f}"),
    "delta_e": ("ΔE", "{:.2f}"),
    "hf_ratio": ("fine detail", "{:.2f}"),
    "naturalness": ("naturalness", "{:.2f}"),
    "cast": ("colour shift", "{:.2f}"),
}


def quality(figures: dict[str, Any]) -> str:
    """A row per model, a column per measure; means over the pictures."""
    lines = ["| | " + " | ".join(title for title, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for model, label in MODELS.items():
        mean = figures[model]["mean"]
        cells = ["–" if mean[name] is None else form.format(mean[name]) for name, (_, form) in COLUMNS.items()]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speed(figures: dict[str, Any]) -> str:
    """The network beside networks of the peers' shapes, and whole pictures."""
    lines = ["| 128×128 to 512×512 | parameters | GMACs | median | ratio |", "|---|---|---|---|---|"]
    for row in figures["peers"]:
        sizes = f"{row['parameters'] / 1e6:.2f} M | {row['gmacs']:.1f}"
        lines.append(f"| {row['network']} | {sizes} | {row['median_ms']:.0f} ms | {row['ratio_to_ours']:.1f} |")
    lines += ["", "| whole pictures | cold start | warm | peak memory |", "|---|---|---|---|"]
    for row in figures["upscale"]:
        times = f"{row['cold_ms']:.0f} ms | {row['warm_median_ms']:.0f} ms | {row['peak_memory_mib']:.0f} MiB"
        lines.append(f"| {row['side']}×{row['side']} | {times} |")
    return "\n".join(lines)


def render() -> str:
    """README.md with today's figures between its two marks."""
    figures = {name: json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in ("quality", "speed")}
    machine, threads = figures["speed"]["machine"], figures["speed"]["threads"]
    text = f"""{BEGIN}
### Quality

32 validation pairs, 512×512, degraded as real photos are (blur, resizing, noise, JPEG); lower is better for ΔE,
naturalness and colour shift. Fine detail is the share of the originals' high-frequency energy; noise has some too.

{quality(figures["quality"])}

By `python -m train.evaluate VAL` with the weights of [train/weights/mobile](train/weights/mobile) and the bundle,
`--json` into [docs/figures/quality.json](docs/figures/quality.json).

### Speed

{speed(figures["speed"])}

ONNX Runtime, fp32, {threads} threads of {machine["cpu"].strip()}; the peers have the shapes of Real-ESRGAN x4plus
(RRDB) and realesr-general-x4v3 (SRVGG), and random weights. By `tadsr bench --peers --threads {threads} --json` into
[docs/figures/speed.json](docs/figures/speed.json).
{END}"""
    readme = README.read_text(encoding="utf-8")
    before, rest = readme.split(BEGIN)
    return before + text + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(render(), encoding="utf-8")
