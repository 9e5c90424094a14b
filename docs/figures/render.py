"""Writes the figures into README.md and docs: `python docs/figures/render.py`.

They are in the JSON files beside it, which the measuring commands themselves write: quality.json and speed.json for the
README, training_speed*.json for docs/performance.md, one file per machine and preset, and ablation.json for its page.
"""

import json
from pathlib import Path
from typing import Any

from train.ablation_page import table

HERE = Path(__file__).parent
README, PERFORMANCE, ABLATION = (
    HERE.parents[1] / "README.md",
    HERE.parent / "performance.md",
    HERE.parent / "ablation.md",
)
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


def training_speed(report: dict[str, Any]) -> str:
    """One machine's rows under a headline."""
    machine, rates = report["machine"], report["matrix_gflops_per_s"]
    where = machine["gpu"] or f"{machine['cpu']}, {report['threads']} of {machine['cpus']} CPUs"
    command = " ".join(f"--{name} {report[name]}" for name in ("preset", "batch", "precision", "threads"))
    step = max(row["images_per_s"] for row in report["rows"] if row["name"].startswith("distillation"))
    lines = [f"### {report['preset']}, {where}", "", "| | layout | images/s | median | GFLOP | share | peak memory |"]
    lines += ["|---" * 7 + "|"]
    for row in report["rows"]:
        times = f"{row['images_per_s']:.1f} | {row['median_ms']:.0f} ms | {row['gflop']:,.1f}"
        memory = "–" if row["peak_memory_mib"] is None else f"{row['peak_memory_mib']:.0f} MiB"
        lines.append(f"| {row['name']} | {row['layout']} | {times} | {row['share']:.0%} | {memory} |")
    return (
        "\n".join(lines)
        + f"""

Crops of {report["crop"]}×{report["crop"]}, batch {report["batch"]}, {report["precision"]}. Share: of
{max(rates.values()):.0f} GFLOP/s, the {max(rates, key=lambda name: rates[name])} in the same rounds. One loading worker
makes {report["loading_images_per_s"]:.0f} images/s; the fastest step takes {step:.1f}. Load before measuring:
{machine["load"]}. PyTorch {report["versions"]["torch"]}.

By `python -m train.bench {command} --json`."""
    )


def render() -> str:
    """README.md with today's figures between its two marks."""
    figures = {name: json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in ("quality", "speed")}
    machine, threads = figures["speed"]["machine"], figures["speed"]["threads"]
    text = f"""### Quality

32 validation pairs, 512×512, degraded as real photos are (blur, resizing, noise, JPEG); lower is better for ΔE,
naturalness and colour shift. Fine detail is the share of the originals' high-frequency energy; noise has some too.

{quality(figures["quality"])}

By `python -m train.evaluate VAL` with the weights of [train/weights/mobile](train/weights/mobile) and the bundle,
`--json` into [docs/figures/quality.json](docs/figures/quality.json).

### Speed

{speed(figures["speed"])}

ONNX Runtime, fp32, {threads} threads of {machine["cpu"].strip()}; the peers have the shapes of Real-ESRGAN x4plus
(RRDB) and realesr-general-x4v3 (SRVGG), and random weights. By `tadsr bench --peers --threads {threads} --json` into
[docs/figures/speed.json](docs/figures/speed.json)."""
    return _between_marks(README, text)


def render_performance() -> str:
    """docs/performance.md with today's figures between its two marks."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("training_speed*.json"))]
    return _between_marks(PERFORMANCE, "\n\n".join(map(training_speed, reports)))


def render_ablation() -> str:
    """docs/ablation.md with the table of ablation.json between its two marks."""
    figures = json.loads((HERE / "ablation.json").read_text(encoding="utf-8"))
    return _between_marks(ABLATION, table(figures["scores"]))


def _between_marks(page: Path, text: str) -> str:
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(render(), encoding="utf-8")
    PERFORMANCE.write_text(render_performance(), encoding="utf-8")
    ABLATION.write_text(render_ablation(), encoding="utf-8")
