"""The checks of ``python -m tests.reference``: this project's mathematics against numbers of the official code.

A folder of such numbers holds ``meta.json`` (configurations, seeds, hashes) and the files that ``CHECKS`` names;
whatever a check needs to know, it reads there.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from safetensors import SafetensorError

from tests.reference import degradation, diffusion, networks, objectives, tiling
from tests.reference.findings import Finding
from tests.reference.folder import GoldenFolder, Stored
from train.engine.errors import TrainError

Check = Callable[[GoldenFolder, str, Stored], Iterator[Finding]]
"""(folder, what the pattern's group matched, the file's arrays) -> findings."""

CHECKS: dict[str, Check] = {
    r"(unet.*)_io\.safetensors": networks.check_unet,
    r"(autoencoder.*)_io\.safetensors": networks.check_autoencoder,
    r"schedule_(.+)\.npz": diffusion.check_schedule,
    r"trajectory_resshift_(.+)\.safetensors": diffusion.check_stochastic,
    r"trajectory_sinsr_deterministic_(.+)\.safetensors": diffusion.check_deterministic,
    r"training_loss_(.+)\.safetensors": objectives.check_training_loss,
    r"sinsr_distill_losses_?(.*)\.safetensors": objectives.check_sinsr,
    r"hsd_reference_(.+)\.safetensors": objectives.check_hsd,
    r"degradation(.*)\.npz": degradation.check_degradation,
    r"tiling(.*)\.safetensors": tiling.check_tiling,
}
"""Which check a file is for, by its name."""

BROKEN = (TrainError, KeyError, IndexError, TypeError, ValueError, RuntimeError, OSError, SafetensorError)
"""What a check raises where a file does not fit the folder's configuration."""


@dataclass(frozen=True)
class Line:
    """One finding and the file that it is about."""

    file: str
    finding: Finding


def check_folder(folder: GoldenFolder) -> Iterator[Line]:
    """Check everything in ``folder``, file by file; a file that cannot be checked is a finding that is not ok.

    Raises ``TrainError`` where there is nothing to check.
    """
    jobs = [(name, check, match[1]) for name in folder.names for check, match in _matching(name)]
    if not jobs:
        raise TrainError(f"{folder.path}: nothing to check; give a folder with files such as schedule_s15.npz")
    yield from _guarded("meta.json", networks.check_weights(folder))
    yield from _guarded("meta.json", tiling.check_starts(folder))
    for name, check, matched in jobs:
        yield from _guarded(name, _with_unread(check, folder, name, matched))


def _matching(name: str) -> Iterator[tuple[Check, re.Match[str]]]:
    for pattern, check in CHECKS.items():
        if match := re.fullmatch(pattern, name):
            yield check, match


def _with_unread(check: Check, folder: GoldenFolder, name: str, matched: str) -> Iterator[Finding]:
    stored = folder.load(name)
    yield from check(folder, matched, stored)
    if stored.unread:
        yield Finding.unchecked(", ".join(stored.unread))


def _guarded(file: str, findings: Iterator[Finding]) -> Iterator[Line]:
    try:
        for finding in findings:
            yield Line(file, finding)
    except BROKEN as error:
        yield Line(file, Finding.broken(error))
