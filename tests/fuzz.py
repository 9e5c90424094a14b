"""Send damaged and hostile picture files and bundles through the runtime, and count what came of them.

    python -m tests.fuzz --count 20000 [--seed S]

Every file must either be used or be refused with a `TadsrError` of one line. A crash, a hang, another exception, a
changed input or anything left beside the result is a fault: the command tells it and ends with exit code 1.
`--first N --count 1` repeats case N alone.
"""

import argparse
import json
import platform
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tadsr.commands import say

from .fuzzing.samples import write_samples

ROOT = Path(__file__).parents[1]
TIMEOUT = 60
"""Seconds after which a case hangs."""
BATCH = 500
"""Cases of one process, so that one that leaks is seen and one that is ill does not spoil the rest."""
OUTCOMES = ("done", "refused", "wrong", "crash", "hang")
PACKAGES = ("pillow", "pillow-heif", "pyvips", "pyvips-binary", "numpy", "onnxruntime")


@dataclass
class Report:
    """How many cases of each format came to each outcome, and what went wrong in which."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def table(self) -> list[str]:
        """As Markdown."""
        forms = sorted({form for form, _ in self.counts})
        rows = [[form, *(self.counts[form, outcome] for outcome in OUTCOMES)] for form in forms]
        rows.append(["all", *(sum(self.counts[form, outcome] for form in forms) for outcome in OUTCOMES)])
        lines = [["format", *OUTCOMES], ["---"] + ["---:"] * len(OUTCOMES), *rows]
        return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def fuzz(count: int, seed: int, first: int = 0, timeout: float = TIMEOUT) -> Report:
    """Run the cases `first` to `first + count - 1` of `seed`."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_samples(folder / "samples")
        number = first
        while number < first + count:
            number = _run_batch(report, folder, seed, number, min(number + BATCH, first + count), timeout)
    return report


def _run_batch(report: Report, folder: Path, seed: int, first: int, end: int, timeout: float) -> int:
    """Run cases in one process until all are done or one ends it; returns the next case."""
    command = [sys.executable, "-m", "tests.fuzzing.worker", str(folder), str(seed), str(first), str(end)]
    number = first
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as worker:
            ended_as = "crash"
            try:
                for message in _messages(worker, timeout):
                    if "number" in message:
                        number = int(message["number"])
                        continue
                    report.counts[message["form"], message["outcome"]] += 1
                    if message["outcome"] == "wrong":
                        report.faults.append(f"case {number}: {message['detail']}")
                    number += 1
            except TimeoutError:
                ended_as = "hang"
                worker.kill()
        if number == end:
            return end
        log.seek(0)
        report.counts["any", ended_as] += 1
        report.faults.append(f"case {number}: {ended_as} ({worker.returncode})\n{log.read()[-2000:]}")
    return number + 1


def _messages(worker: "subprocess.Popen[str]", timeout: float) -> Iterator[dict[str, str]]:
    """What a worker says until its end. Raises `TimeoutError` where it says nothing for `timeout` seconds."""
    assert worker.stdout is not None
    lines: queue.Queue[str] = queue.Queue()

    def listen(stream: Iterator[str]) -> None:
        for line in stream:
            lines.put(line)
        lines.put("")

    threading.Thread(target=listen, args=(worker.stdout,), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty as error:
            raise TimeoutError from error
        if not line:
            return
        yield json.loads(line)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many files (2000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other files (0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (0)")
    arguments = parser.parse_args()
    started = time.monotonic()
    report = fuzz(arguments.count, arguments.seed, arguments.first)
    for line in report.table():
        say(line)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    say(f"\nseed {arguments.seed}, {arguments.count} cases in {time.monotonic() - started:.0f} s")
    say(f"Python {platform.python_version()}, {versions}, {platform.system()} {platform.machine()}")
    for fault in report.faults:
        sys.stderr.write(fault + "\n")
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
