"""The figures of the JSON files in this folder as Markdown."""

from collections.abc import Sequence
from typing import Any

from compress.rows import FIGURES
from train.ablation_page import table as scores_table

WEIGHTS = "train/weights/mobile"
MODELS = {
    "bicubic": "bicubic",
    f"{WEIGHTS}/teacher.safetensors": "teacher, 15 steps",
    f"{WEIGHTS}/student.safetensors": "student, 1 step",
    "runtime/models/mobile.tadsr": "**shipped bundle**, fp32",
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
    lines += ["", "| the files of the bundle | 128×128 | 512×512 | faster |", "|---|---|---|---|"]
    for file, backend in dict.fromkeys((row["file"], row["backend"]) for row in figures["files"]):
        rows = [row for row in figures["files"] if (row["file"], row["backend"]) == (file, backend)]
        times = " | ".join(f"{row['median_ms']:.0f} ms" for row in rows)
        ratios = " / ".join(f"{row['ratio_to_first']:.1f}×" for row in rows)
        lines.append(f"| {rows[0]['backend']}, {rows[0]['precision']} | {times} | {ratios} |")
    lines += ["", "| whole pictures | cold start | warm | peak memory |", "|---|---|---|---|"]
    for row in figures["upscale"]:
        times = f"{row['cold_ms']:.0f} ms | {row['warm_median_ms']:.0f} ms | {row['peak_memory_mib']:.0f} MiB"
        lines.append(f"| {row['side']}×{row['side']} | {times} |")
    return "\n".join(lines)


def training_speeds(reports: Sequence[dict[str, Any]]) -> str:
    """A part for each machine and preset."""
    return "\n\n".join(map(_training_speed, reports))


def _training_speed(report: dict[str, Any]) -> str:
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


def quality_and_speed(quality_figures: dict[str, Any], speed_figures: dict[str, Any]) -> str:
    """The figures of README.md."""
    machine, threads = speed_figures["machine"], speed_figures["threads"]
    return f"""### Quality

32 validation pairs, 512×512, degraded as real photos are (blur, resizing, noise, JPEG); lower is better for ΔE,
naturalness and colour shift. Fine detail is the share of the originals' high-frequency energy; noise has some too.

{quality(quality_figures)}

By `python -m train.evaluate VAL` with the weights of [train/weights/mobile](train/weights/mobile) and the bundle,
`--json` into [docs/figures/quality.json](docs/figures/quality.json).

### Speed

{speed(speed_figures)}

ONNX Runtime where no other engine is named, {threads} threads of {machine["cpu"].strip()}; the first table is of fp32,
the last of what was chosen unasked: {speed_figures["model"]["precision"]}. The peers have the shapes of Real-ESRGAN
x4plus (RRDB) and realesr-general-x4v3 (SRVGG), and random weights. By
`tadsr bench --peers --threads {threads} --json` into [docs/figures/speed.json](docs/figures/speed.json)."""


def ablation(figures: dict[str, Any]) -> str:
    """A row per arm."""
    return scores_table(figures["scores"])


def pruning(figures: dict[str, Any]) -> str:
    """A row per point of the curve, the full decoder first."""
    points = figures["points"]
    lines = [
        "| `--macs` | kMACs per LR pixel | parameters | PSNR-Y | change | SSIM-Y "
        "| naturalness | PSNR to the full decoder, mean / worst |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in points:
        scores, against = row["scores"], row["psnr_to_full"]
        near = f"{against['mean']:.1f} / {against['worst']:.1f} dB" if against else "–"
        change = f"{scores['psnr_y'] - points[0]['scores']['psnr_y']:+.3f} dB" if against else "–"
        lines.append(
            f"| {row['macs']:g} | {row['macs_per_latent_position'] / 1e3:.1f} "
            f"| {row['parameters'] / 1e3:.1f} k | {scores['psnr_y']:.3f} | {change} | {scores['ssim_y']:.4f} "
            f"| {scores['naturalness']:.2f} | {near} |"
        )
    return "\n".join(lines)


def noise(figures: dict[str, Any]) -> str:
    """A row per arm, and the difference on the same picture."""
    forms = {"psnr_y": "{:.3f}", "ssim_y": "{:.4f}", "naturalness": "{:.2f}", "hf_ratio": "{:.3f}", "delta_e": "{:.2f}"}
    lines = ["| noise of z_T | PSNR-Y | SSIM-Y | naturalness | fine detail | ΔE |", "|---|---|---|---|---|---|"]
    names = {"zero": "none (ε = 0)", "field": f"a fixed field of period {figures['period']}"}
    for arm, measured in figures["arms"].items():
        cells = [form.format(measured["mean"][column]) for column, form in forms.items()]
        lines.append(f"| {names[arm]} | {' | '.join(cells)} |")
    cells = [
        " ± ".join(form.format(figures["difference"][column][key]) for key in ("mean", "standard_error"))
        for column, form in forms.items()
    ]
    lines.append(f"| difference ± standard error | {' | '.join(cells)} |")
    return "\n".join(lines)


STAGES = {
    "full-decoder": "one-step student, full decoder",
    "pruned": "`compress.prune`: the same, decoder pruned",
    "unfolded": "the pruned one with the full encoder",
    "folded": "`compress.fold`: one graph, LR encoder",
    "ptq": "`compress.quantize --ptq`: INT8, calibrated",
    "qat": "`compress.quantize`: INT8, finetuned",
    "onnx-int8": "`export.bundle`: the same in ONNX Runtime",
}
STAGE_COLUMNS = ("psnr_y", "ssim_y", "naturalness", "psnr_previous", "psnr_previous_worst", "delta_e_previous")


def compression(report: dict[str, Any]) -> str:
    """A row per stage of the report of `compress.report --json`."""
    rows = {row["stage"]: row for row in report["rows"]}
    titles = [FIGURES[name].title for name in STAGE_COLUMNS]
    lines = [f"| stage | compared with | {' | '.join(titles)} | kMACs/pixel | MB |", "|---" * (len(titles) + 4) + "|"]
    for stage, label in STAGES.items():
        figures = rows[stage]["figures"]
        cells = [FIGURES[name].form.format(figures[name]) if name in figures else "–" for name in STAGE_COLUMNS]
        cells += [
            form.format(figures[name] / unit) if name in figures else "–"
            for name, unit, form in (("macs_per_pixel", 1e3, "{:.0f}"), ("size", 1e6, "{:.2f}"))
        ]
        lines.append(f"| {label} | {rows[stage]['against'] or '–'} | {' | '.join(cells)} |")
    return "\n".join(lines)


INT8_TARGETS = {
    "psnr_previous": "≥ 42 dB",
    "psnr_previous_worst": "≥ 38 dB",
    "psnr_y_change": "within 0.05 dB",
    "naturalness_change": "within 2 %",
    "delta_e_previous": "< 0.5",
    "size_ratio": "≤ 0.28",
}


def int8(report: dict[str, Any], advice: Sequence[dict[str, Any]]) -> str:
    """What INT8 costs beside the float program, after calibration and after finetuning, and what it gains."""
    rows = {row["stage"]: row["figures"] for row in report["rows"]}
    lines = ["| beside the float program | target | calibrated | finetuned |", "|---|---|---|---|"]
    for name, target in INT8_TARGETS.items():
        cells = [FIGURES[name].form.format(rows[stage][name]) for stage in ("ptq", "qat")]
        lines.append(f"| {FIGURES[name].title} | {target} | {' | '.join(cells)} |")
    lines += ["", "| engine | LR pixels | fp32 | INT8 | faster | target |", "|---|---|---|---|---|---|"]
    for row in advice:
        times = f"{row['against_median_ms']:.1f} ms | {row['median_ms']:.1f} ms | {row['speedup']:.2f}×"
        lines.append(f"| {ENGINES[row['file'].rpartition('.')[2]]} | {row['side']}×{row['side']} | {times} | ≥ 2× |")
    return "\n".join(lines)


ENGINES = {"onnx": "ONNX Runtime", "pte": "ExecuTorch (XNNPACK)"}


BACKENDS = {
    "onnx": "ONNX Runtime, OpenVINO",
    "executorch": "ExecuTorch (XNNPACK)",
    "coreml": "Core ML",
    "tensorrt": "TensorRT",
}
CHECKS = {
    "worst_psnr": "{:.1f} dB",
    "openvino_worst_psnr": "{:.1f} dB in OpenVINO",
    "largest_step": "largest step {:g}",
    "openvino_largest_step": "largest step {:g} in OpenVINO",
    "psnr_of_same_steps": "{:.1f} dB of same steps",
    "layers_equal_to_the_bit": "{:g} layers equal to the bit",
    "scales_equal_to_the_bit": "{:g} scales equal to the bit",
    "tensors_with_relu_headroom": "{:g} tensors with ReLU headroom",
    "psnr_in_float32": "{:.1f} dB in float32",
    "off_neural_engine": "{:g} operations off the neural engine",
}


def backends(rows: Sequence[dict[str, Any]]) -> str:
    """A row per file of `export.verify --json`."""
    lines = ["| backend | precision | tile | check |", "|---|---|---|---|"]
    for row in rows:
        report = row["report"] or {}
        figures = {**report, **report.get("findings", {})}
        found = [form.format(float(figures[name])) for name, form in CHECKS.items() if name in figures]
        told = row["problem"] or row["unchecked"] or "; ".join(found)
        lines.append(f"| {BACKENDS[row['backend']]} | {row['precision']} | {row['tile'] or 'any'} | {told} |")
    return "\n".join(lines)


def recipes(trials: Sequence[dict[str, Any]]) -> str:
    """A row per delegate and program of `export.executorch_recipes --json`."""
    lines = ["| delegate | program | share of multiply-accumulates | MB | |", "|---|---|---|---|---|"]
    for trial in trials:
        lowered = trial["problem"] is None
        figures = f"{trial['delegated_macs']:.0%} | {trial['size'] / 1e6:.2f}" if lowered else "– | –"
        lines.append(
            f"| {trial['delegate']} | {trial['precision']}, {trial['tile']}×{trial['tile']} | {figures} "
            f"| {'lowers' if lowered else trial['problem']} |"
        )
    return "\n".join(lines)


PRECISIONS = {"fp32": "fp32", "int8": "INT8"}


def tiling(figures: dict[str, Any]) -> str:
    """A row per precision, seam and tile size, a column per kind of picture; levels of 255."""
    cells: dict[tuple[str, str, int], list[str]] = {}
    for row in figures["rows"]:
        cell = f"{row['largest']:.3f}, {row['beyond_one_level']:.3%}"
        cells.setdefault((PRECISIONS[row["precision"]], row["seam"], row["tile"]), []).append(cell)
    kinds = list(dict.fromkeys(row["picture"] for row in figures["rows"]))
    lines = [f"| | `seam=` | `tile=` | {' | '.join(kinds)} |", "|---" * (3 + len(kinds)) + "|"]
    for (precision, seam, tile), found in cells.items():
        lines.append(f"| {precision} | {seam} | {tile} | {' | '.join(found)} |")
    return "\n".join(lines)


def overhead(report: dict[str, Any]) -> str:
    """A row per file and picture of `tadsr bench --overhead --json`."""
    lines = ["| | picture | tiles | bare engine | runtime | added | two tiles at once |", "|---" * 7 + "|"]
    for row in report["overhead"]:
        times = f"{row['bare_median_ms']:.0f} ms | {row['runtime_median_ms']:.0f} ms | {row['overhead']:+.1%}"
        gain = "–" if row["two_at_once"] is None else f"{row['two_at_once']:+.1%}"
        sizes = f"{row['side']}×{row['side']} | {row['tiles']}"
        lines.append(f"| {row['backend']}, {PRECISIONS[row['precision']]} | {sizes} | {times} | {gain} |")
    machine, threads, repeats = (report[name] for name in ("machine", "threads", "repeats"))
    return (
        "\n".join(lines)
        + f"""

{threads} threads of {machine["cpu"].strip()}, {repeats} rounds, load {machine["load"]} before measuring. By
`tadsr bench --overhead --threads {threads} --repeats {repeats} --json` into
[figures/overhead.json](figures/overhead.json)."""
    )


def memory(measured: dict[str, Any]) -> str:
    """A row per engine and precision, a column per tile size."""
    sides = [round(pixels**0.5) for pixels, _ in measured["engines"][0]["points"]]
    lines = [f"| tile | {' | '.join(f'{side}×{side}' for side in sides)} |", "|---" * (1 + len(sides)) + "|"]
    for row in measured["engines"]:
        cells = [f"{peak / 1e6:.0f} MB" for _, peak in row["points"]]
        lines.append(f"| {row['backend']}, {PRECISIONS[row['precision']]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def browser_speed(figures: dict[str, Any]) -> str:
    """A row per tile size, precision and number of threads: the browser beside native ONNX Runtime."""
    times = {(row["side"], row["precision"], row["threads"], row["where"]): row["ms"] for row in figures["rows"]}
    lines = ["| tile | precision | threads | browser | native | browser takes |", "|---|---|---|---|---|---|"]
    for side, precision, threads in sorted({key[:3] for key in times}):
        browser, native = (times[side, precision, threads, where] for where in ("browser", "native"))
        rates = " | ".join(f"{1000 / time:.2f} tiles/s" for time in (browser, native))
        lines.append(f"| {side}×{side} | {precision} | {threads} | {rates} | {browser / native:.1f}× as long |")
    machine, versions = figures["machine"], figures["versions"]
    return (
        "\n".join(lines)
        + f"""

The fastest of {figures["runs"]} runs in each of {figures["rounds"]} rounds, browser and native in turns, on
{machine["cpu"].strip()} with {machine["cpus"]} CPUs. Load before measuring: {machine["load"]}.
ONNX Runtime Web {versions["onnxruntime-web"]} (WASM SIMD) in headless Chromium {versions["chromium"]};
ONNX Runtime {versions["onnxruntime"]} in Python. By `python docs/figures/browser_speed.py` into
[figures/browser_speed.json](figures/browser_speed.json)."""
    )
