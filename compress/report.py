"""``python -m compress.report``: the rows that the stages measured, as a table, JSON and a page, held to budgets.

Exits with code 1 where a row is over its budget. ``python -m compress.report measure`` adds the row of any model.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from compress.reporting.budgets import check, check_shipped, read_budgets
from compress.reporting.measure import check_report, measure, summary
from compress.reporting.report_page import metrics_table, page
from compress.reporting.results import as_json, describe_check, read_report
from runtime.atomic import replacing
from tadsr import commands
from train.evaluation.predictors import SamplingOptions, open_predictor
from train.evaluation.scoring import aligned

PAGE = "report.html"
OVER_BUDGET = 1
"""Exit code."""
MEASURE = "measure"


def main(argv: Sequence[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == [MEASURE]:
        add_row(words[1:])
    else:
        show(words)


def show(argv: Sequence[str]) -> None:
    """Show the rows of a report and check them."""
    parser = argparse.ArgumentParser(
        prog=commands.prog("compress.report"),
        description="Show the rows of a report and check them against budgets; exit code 1 where one is broken.",
        epilog="example: python -m compress.report runs/report; to add a row: python -m compress.report measure --help",
    )
    parser.add_argument("report", type=Path, metavar="DIR", help="the folder that stages were given as --report")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--html", type=Path, metavar="FILE", help=f"where the page goes; else DIR/{PAGE}")
    parser.add_argument("--budgets", type=Path, metavar="FILE", help="YAML file of budgets; else those that come along")
    options = parser.parse_args(argv)

    report = read_report(options.report)
    if options.budgets is None:
        verdict = check_shipped(report)
    else:
        verdict = check(report, read_budgets(options.budgets, report.stages))
    html = options.html or options.report / PAGE
    with replacing(html) as draft:
        draft.write_text(page(report, verdict, options.report), encoding="utf-8")
    if options.json:
        checked = {"breaches": verdict.breaches, "notes": verdict.notes}
        commands.say(json.dumps(as_json(report) | checked, indent=2, ensure_ascii=False))
    else:
        files = [f"{entry['file']}: {describe_check(entry)}" for entry in report.checks]
        commands.say("\n".join([aligned(metrics_table(report)), *files, *verdict.notes, f"wrote {html}"]))
    for breach in verdict.breaches:
        sys.stderr.write(f"over budget: {breach}\n")
    if verdict.breaches:
        sys.exit(OVER_BUDGET)


def add_row(argv: Sequence[str]) -> None:
    """Measure a model and put its row into a report."""
    parser = argparse.ArgumentParser(
        prog=f"{commands.prog('compress.report')} {MEASURE}",
        description="Measure a model on pairs of pictures and put the row into a report.",
        epilog=f"example: python -m compress.report {MEASURE} teacher train/weights/mobile/teacher.safetensors "
        "--pairs photos/val --report runs/report",
    )
    parser.add_argument("stage", help="name of the row: teacher, student, folded, onnx-int8, ...")
    parser.add_argument(
        "model", type=Path, help="a bundle (.tadsr), a program (.pt2) or a network (.safetensors) with its autoencoder"
    )
    parser.add_argument("--pairs", type=Path, required=True, help="a folder with LR and HR inside")
    parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="folder of the report")
    parser.add_argument("--baseline", metavar="STAGE", help="the row of the report that this one is compared with")
    parser.add_argument(
        "--autoencoder", type=Path, help="for networks: the autoencoder's weights, else those beside the network"
    )
    parser.add_argument("--steps", type=int, help="for networks: sampling steps; else as trained")
    parser.add_argument("--seed", type=int, default=0, help="for networks: seed of the noise")
    parser.add_argument("--backend", default="auto", help="for bundles: the engine")
    parser.add_argument("--precision", default="auto", help="for bundles: fp32, int8, ...")
    options = parser.parse_args(argv)

    check_report(options.pairs, options.report, options.baseline)
    sampling = SamplingOptions(options.autoencoder, options.steps, options.seed)
    predictor = open_predictor(options.model, sampling, backend=options.backend, precision=options.precision)
    command = shlex.join(["python", "-m", "compress.report", MEASURE, *argv])
    result = measure(
        options.stage,
        predictor,
        options.pairs,
        options.report,
        baseline=options.baseline,
        provenance={"command": command, "seed": options.seed},
    )
    commands.say(f"{options.report}: {summary(result)}")


if __name__ == "__main__":
    commands.run(main)
