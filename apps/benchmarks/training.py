"""``python -m apps.benchmarks.training``: how fast teacher sampling, distillation steps and data loading are on this
machine.

Beside each rate stands its share of the best rate at which the same machine multiplies matrices in the same
arithmetic, measured in the same rounds. Networks have the preset's sizes and random weights.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from apps.benchmarks.columns import Columns, rich_table
from apps.benchmarks.workloads import (
    LAYOUTS,
    Distillation,
    Work,
    finished,
    held_memory,
    load,
    matrix_products,
    peak_memory_of,
    write_networks,
    write_photos,
)
from tadsr import commands
from tadsr.measuring import describe_machine, describe_versions, time_in_rounds
from train.distill import DistillSettings
from train.engine.errors import TrainError
from train.engine.settings import parse
from train.evaluation.macs import count_flops

ARITHMETIC = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
LEAST_ROUNDS = 3
RANDOM_WEIGHTS = ("--lr=1e-9", "--score=hsd", "--discriminator=time-aware")
"""TAD-SR's full step whatever the preset trains with, and weights that stay as they are."""
CONDITIONS = {
    "distillation step": "TAD-SR's full step: student and discriminator in turn, HSD, time-aware discriminator; "
    "forward, backward, optimiser, average. With cached samples the teacher's multi-step samples come from disk",
    "one picture": "batch 1, a picture as large as a crop: condition, sampling, decoding; no gradient",
    "loading": "one worker process that decodes, crops and degrades, with nothing else running",
    "order": "all rows in turn, round after round, in one process; each runs twice and the second run counts, or the "
    "first where it takes over 5 seconds",
    "flop": "convolutions and matrix products of one call, forward and backward, a multiply-add counted as two",
    "share": "FLOP/s of the row over those of the fastest square matrix product in the same arithmetic; medians of the "
    "same rounds",
    "memory": "CUDA: the most allocated, its own networks and optimisers included; elsewhere the process's largest "
    "resident memory when the row had first run, which never falls from row to row",
}


COLUMNS: Columns = {
    "": "{name}",
    "layout": "{layout}",
    "images/s": "{images_per_s:.2f}",
    "median ms": "{median_ms:.1f}",
    "least ms": "{least_ms:.1f}",
    "GFLOP": "{gflop:.1f}",
    "GFLOP/s": "{gflops_per_s:.0f}",
    "share": "{share:.0%}",
    "peak MiB": "{peak_memory_mib:.0f}",
}


@dataclass(frozen=True)
class Row:
    """One thing measured in one layout; rates are those of the median."""

    name: str
    layout: str
    images: int
    """Pictures per call."""
    median_ms: float
    least_ms: float
    rounds: int
    images_per_s: float
    gflop: float
    """Of one call."""
    gflops_per_s: float
    share: float
    """Of the fastest matrix product's rate."""
    peak_memory_mib: float | None


@dataclass(frozen=True)
class Report:
    """All that was measured, and under which conditions."""

    preset: str
    batch: int
    crop: int
    precision: str
    device: str
    threads: int
    machine: dict[str, Any]
    versions: dict[str, str | None]
    conditions: dict[str, str]
    matrix_gflops_per_s: dict[str, float]
    """Of every matrix product."""
    rows: list[Row]
    loading_images_per_s: float
    """Of one worker."""


def measure(settings: DistillSettings, preset: str, seconds: float, layouts: Sequence[str], console: Console) -> Report:
    """Measure everything for about ``seconds`` per row, in each of ``layouts``, which are keys of ``LAYOUTS``."""
    works: dict[tuple[str, str], Work] = {}
    flops: dict[str, int] = {}
    memory: dict[tuple[str, str], int | None] = {}
    with console.status("data loading") as status:
        batch, loading = load(settings, seconds)
        for layout in layouts:
            held = held_memory()
            arm = Distillation(settings, LAYOUTS[layout], batch)
            for name, work in arm.works().items():
                status.update(f"first call: {name}, {layout}")
                if name not in flops:  # in the first layout, which is not compiled
                    flops[name] = count_flops(work.call)
                memory[name, layout] = peak_memory_of(work.call, arm.device, held)
                works[name, layout] = work
        gpu = torch.cuda.get_device_name(arm.device) if arm.device.type == "cuda" else None
        machine = describe_machine() | {"gpu": gpu}
        products = matrix_products(ARITHMETIC[settings.precision], arm.device)
        calls = {f"{name}, {layout}": work.call for (name, layout), work in works.items()}
        calls |= {name: call for name, (call, _) in products.items()}
        calls = {name: finished(call, arm.device) for name, call in calls.items()}
        timings = time_in_rounds(calls, LEAST_ROUNDS, seconds, status.update)
    rates = {name: flop / timings[name].median / 1e9 for name, (_, flop) in products.items()}
    rows = []
    for (name, layout), work in works.items():
        timing, peak = timings[f"{name}, {layout}"], memory[name, layout]
        rate = flops[name] / timing.median / 1e9
        rows.append(
            Row(
                name=name,
                layout=layout,
                images=work.images,
                median_ms=1e3 * timing.median,
                least_ms=1e3 * timing.least,
                rounds=len(timing.seconds),
                images_per_s=work.images / timing.median,
                gflop=flops[name] / 1e9,
                gflops_per_s=rate,
                share=rate / max(rates.values()),
                peak_memory_mib=peak and peak / 2**20,
            )
        )
    return Report(
        preset=preset,
        batch=settings.batch,
        crop=settings.data.crop,
        precision=settings.precision,
        device=arm.device.type,
        threads=torch.get_num_threads(),
        machine=machine,
        versions=describe_versions("torch", "numpy"),
        conditions=CONDITIONS,
        matrix_gflops_per_s=rates,
        rows=rows,
        loading_images_per_s=loading,
    )


def show(report: Report, console: Console) -> None:
    """The report as a table."""
    best = max(report.matrix_gflops_per_s, key=lambda name: report.matrix_gflops_per_s[name])
    where = report.machine["gpu"] or f"{report.machine['cpu']}, {report.threads} threads, load {report.machine['load']}"
    title = f"{report.preset}, batch {report.batch}, crop {report.crop}, {report.precision}, {where}"
    console.print(rich_table(title, COLUMNS, map(asdict, report.rows)))
    console.print(f"share: of {report.matrix_gflops_per_s[best]:.0f} GFLOP/s, {best}", highlight=False)
    step = max(row.images_per_s for row in report.rows if row.name.startswith("distillation"))
    loading = f"{report.loading_images_per_s:.1f} images/s per worker"
    console.print(f"loading: {loading}; the fastest step takes {step:.1f}", highlight=False)


def _settings(arguments: argparse.Namespace, further: list[str], folder: Path) -> DistillSettings:
    """What the options ask for, looked at before anything is made in ``folder``."""
    files = {"out": folder, "photos": arguments.photos or folder / "photos"}
    files |= {name: folder / f"{name}.safetensors" for name in ("autoencoder", "teacher")}
    options = {"preset": arguments.preset, "batch": arguments.batch, "precision": arguments.precision, **files}
    argv = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return parse(DistillSettings, "train.distill", "", [*argv, *RANDOM_WEIGHTS, *further])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m apps.benchmarks.training",
        description="Measure teacher sampling, distillation steps and data loading, with random weights. Further "
        "options are those of train.distill: --student mobile, --device cpu, --data.crop 256.",
    )
    parser.add_argument("--preset", default="mobile", help="name of a preset, or the path of a YAML file")
    parser.add_argument("--batch", type=int, help="crops per step; else the preset's")
    parser.add_argument("--precision", choices=ARITHMETIC, default="bf16-mixed", help="arithmetic of the networks")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos for the loader; else drawn pictures")
    parser.add_argument("--seconds", type=float, default=10, help="of measuring, per row")
    parser.add_argument("--threads", type=int, help="CPU threads of the networks; else PyTorch's choice")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments, further = parser.parse_known_args(argv)
    if arguments.threads is not None:
        if arguments.threads < 1:
            raise TrainError(f"--threads {arguments.threads}: give 1 or more")
        torch.set_num_threads(arguments.threads)
    with TemporaryDirectory(prefix="tadsr-") as name:
        settings = _settings(arguments, further, Path(name))
        write_networks(settings.model, Path(name))
        if arguments.photos is None:
            write_photos(settings.photos)
        gpu = settings.device in ("auto", "cuda") and torch.cuda.is_available()
        layouts = list(LAYOUTS)[: None if gpu else 1]
        report = measure(settings, arguments.preset, arguments.seconds, layouts, Console(stderr=True))
    if arguments.json:
        commands.say(json.dumps(asdict(report), indent=2))
    else:
        show(report, Console(width=max(Console().width, 132)))  # lines that a narrow terminal wraps, not columns


if __name__ == "__main__":
    commands.run(main)
