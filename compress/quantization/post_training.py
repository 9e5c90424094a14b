"""Post-training quantisation: equal channels, measured ranges, and a choice of what stays in float."""

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.fx import GraphModule

from compress.quantization.calibration import measure_ranges
from compress.quantization.equalisation import cross_layer_equalisation
from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.layers import Layer, check_names, layers
from compress.quantization.sensitivity import Sensitivity, choose_float_layers, scan
from compress.quantization.settings import AUTO, NONE, QuantizeSettings
from compress.quantization.smoothquant import smoothquant
from runtime.atomic import replacing
from train.data.teacher_samples import file_hash

SENSITIVITY = "sensitivity.json"
SCANNED_BATCHES = 4
"""Of the calibration's batches, for the scan: it runs the program once for every layer."""


def post_training_quantised(graph: GraphModule, tiles: Sequence[Tensor], settings: QuantizeSettings) -> FakeQuantised:
    """The float program ``graph`` as INT8 rounds it, by what it does on ``tiles`` [N, 3, h, w] in [0, 1].

    ``graph`` itself is equalised, which changes no picture. The sensitivity of its layers, and which stay in float,
    go into the run's folder; a further run on the same program reads it there. Raises ``TrainError`` for names that
    are no layers of the program.
    """
    all_layers = layers(graph, tiles[0])
    named = [] if settings.keep_float in (AUTO, NONE) else settings.keep_float.split(",")
    check_names(named, [layer.name for layer in all_layers], "--keep-float")
    cross_layer_equalisation(graph, track(tiles, "equalising", console=Console(stderr=True), transient=True))
    always = [layer.name for layer in all_layers if layer.in_float]
    path, program = settings.out / SENSITIVITY, file_hash(settings.program)
    scanned = _read(path, program) or _scanned(graph, all_layers, always, tiles)
    chosen = choose_float_layers(scanned, settings.float_macs) if settings.keep_float == AUTO else named
    keep = [*always, *(name for name in chosen if name not in always)]
    _write(path, program, scanned, keep)
    smoothquant(graph, track(tiles, "equalising sums", console=Console(stderr=True), transient=True), keep)
    return FakeQuantised(graph, keep, measure_ranges(copy.deepcopy(graph), tiles, keep))


def _scanned(
    graph: GraphModule, all_layers: Sequence[Layer], always: Sequence[str], tiles: Sequence[Tensor]
) -> list[Sensitivity]:
    fake = FakeQuantised(graph, always, measure_ranges(copy.deepcopy(graph), tiles, always))
    sensitivities = scan(fake, graph, all_layers, tiles[:SCANNED_BATCHES])
    total = len(all_layers) - len(always)
    return list(track(sensitivities, "layers", total, console=Console(stderr=True), transient=True))


def _write(path: Path, program: str, scanned: Sequence[Sensitivity], keep_float: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {"program": program, "keep_float": keep_float, "layers": [asdict(layer) for layer in scanned]}
    with replacing(path) as draft:
        draft.write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")


def _read(path: Path, program: str) -> list[Sensitivity]:
    """The result of an earlier scan; empty where there is none of the same program."""
    if not path.is_file():
        return []
    contents = json.loads(path.read_text(encoding="utf-8"))
    return [Sensitivity(**layer) for layer in contents["layers"]] if contents.get("program") == program else []
