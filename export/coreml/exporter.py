"""``python -m export.coreml``: an ``.mlpackage`` for one tile size, picture in and picture out (iPhone, iPad, Mac).

Core ML runs on Apple's systems only, so the proof reads the saved file and computes it: ``export.coreml.package``.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from export.command import parser_of, write_all
from export.coreml.neural_engine import computed, leaving
from export.coreml.package import Package, quiet_coremltools, read_package
from export.errors import ExportError
from export.protocol import Engine, Findings, Report, Tile
from export.verification import mil_interpreter as interpreter
from export.verification import mil_reader
from export.verification.contents import contents_of, require_same
from export.verification.layer_wise import require_steps
from export.verification.tiles import compare_tiles, require_psnr, tiles_for
from runtime.backends.base import INPUT, OUTPUT
from tadsr.program import Program

LEVELS = 255
"""The largest value of a pixel: Core ML hands the program pixels as they are, and wants them so."""
FIRST_IOS = {"fp16": 16, "int8": 17}
"""The first iOS that runs a precision; 16 came with macOS 13, 17 with macOS 14."""
FP16_PSNR = 55.0
"""Lowest PSNR in dB that float16 may have against float32."""
RESCALING = "common::distributive_quantized_binary_op_scale_normalization"
"""A pass of coremltools that gives sums other scales than the program's, to divide once less; it must not run."""
DEBUG_FILE = "executorch_debug_handle_mapping.json"
"""What coremltools leaves in the package for ExecuTorch's debugger; no part of the format."""


@dataclass(frozen=True)
class CoremlExporter:
    """Core ML: an ML program whose input and output are pictures (``CVPixelBuffer``)."""

    precision: str
    required_psnr: float
    """Lowest PSNR against the program in dB, over whole tiles, that ``verify`` may find."""
    ios: int
    """The oldest iOS that must run it."""
    name: str = "coreml"
    suffix: str = ".mlpackage"
    static: bool = True
    extra: str = "coreml"
    packages: tuple[str, ...] = ("coremltools",)

    def export(self, program: Program, path: Path) -> Findings:
        """Convert the program and write the package, a folder.

        Raises ``ExportError`` where the target cannot run the precision or coremltools cannot convert the program;
        ``OSError`` passes through.
        """
        if self.ios < FIRST_IOS[self.precision]:
            raise ExportError(
                f"{program.path}: iOS {self.ios} cannot run {self.precision}; the first that can is iOS "
                f"{FIRST_IOS[self.precision]}: give it as --ios, or choose another --precision"
            )
        if path.suffix != self.suffix:
            raise ExportError(f"{program.path}: a Core ML package's name ends in {self.suffix}; choose such an -o")
        path.mkdir()  # coremltools would make missing folders, and tell less well why it cannot write
        with quiet_coremltools():
            model = _convert(program, self.ios)
            _describe(model, program, self.precision)
            model.save(str(path))
        (path / DEBUG_FILE).unlink(missing_ok=True)
        return {}

    def engine(self, path: Path, threads: int | None = None) -> Engine:
        """The file in the interpreter, in float16: what a phone computes, but not how fast."""
        return _engine(read_package(path), fp16=True)

    def threads(self, asked: int) -> int:
        """Any number: the interpreter is torch, which is not told here."""
        return asked

    def verify(self, path: Path, program: Program) -> Report:
        """Compare the saved file's answers, computed in float16, with the program's; of one tile in float32 too.

        And every weight; of an INT8 file also every scale and zero point, and every quantised tensor by itself. Raises
        ``ExportError`` below ``required_psnr``, above ``layer_wise.LARGEST_STEP``, where a number is not the program's,
        a value overflows float16, or an operation is not known.
        """
        package = read_package(path)
        _check_pictures(package, program)
        tiles = _pixel_tiles(program)
        report = compare_tiles(program, _engine(package, fp16=True), tiles)
        require_psnr(report, self.required_psnr, str(path))
        mil_reader.require_floats(program, package)
        findings = (_check_int8 if self.precision == "int8" else _check_float)(package, program, tiles[-1])
        counts: Findings = {"operations": len(computed(package)), "off_neural_engine": len(leaving(package))}
        return replace(report, findings={**findings, **counts})


class _Levels(torch.nn.Module):
    """The program with pixels from 0 to 255 on both sides."""

    def __init__(self, program: torch.nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        sr: torch.Tensor = self.program(lr / LEVELS) * LEVELS
        return sr


def _convert(program: Program, ios: int) -> Any:
    import coremltools as ct

    assert program.tile is not None
    shape = (1, 3, program.tile, program.tile)
    passes = ct.PassPipeline.DEFAULT
    passes.remove_passes({RESCALING})
    try:
        return ct.convert(
            _decomposed(program, shape),
            # Scaled by the program itself: coremltools' own `scale` would be a float32 operation at its start.
            inputs=[ct.ImageType(name=INPUT, shape=shape, color_layout=ct.colorlayout.RGB)],
            outputs=[ct.ImageType(name=OUTPUT, color_layout=ct.colorlayout.RGB)],
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, f"iOS{ios}"),
            compute_precision=ct.precision.FLOAT16,
            pass_pipeline=passes,
            skip_model_load=True,
        )
    except (ValueError, RuntimeError, NotImplementedError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(f"{program.path}: coremltools cannot convert it ({reason}); nothing was kept") from error


def _decomposed(program: Program, shape: tuple[int, ...]) -> ExportedProgram:
    return torch.export.export(_Levels(program.exported.module()), (torch.zeros(shape),)).run_decompositions({})


def _describe(model: Any, program: Program, precision: str) -> None:
    """What Xcode shows of a model, and what an app that runs it must know.

    No preview type: Apple documents none for picture to picture (Xcode Model Preview Types, coremltools' guide).
    """
    metadata, tile = program.metadata, program.tile
    digest = hashlib.sha256(program.path.read_bytes()).hexdigest()
    side = metadata.scale * (tile or 0)
    model.short_description = (
        f"{metadata.name}: a photo {metadata.scale} times larger, one tile of {tile}x{tile} at a time."
    )
    model.author = "tadsr"
    model.license = metadata.licence
    model.version = digest[:12]  # another program is another version, whoever made it
    model.input_description[INPUT] = f"A tile of {tile}x{tile} pixels, RGB."
    model.output_description[OUTPUT] = f"The same, {side}x{side} pixels, RGB."
    known = {**asdict(metadata), "tile": tile, "precision": precision, "program_sha256": digest}
    for name, value in known.items():
        model.user_defined_metadata[f"tadsr.{name}"] = value if isinstance(value, str) else json.dumps(value)


def _engine(package: Package, fp16: bool) -> Engine:
    def run(tile: Tile) -> Tile:
        return _unit(interpreter.run(package, {INPUT: _pixels(tile)}, fp16=fp16)[OUTPUT])

    return run


def _pixels(tile: Tile) -> Tile:
    """From 0 to 255 in whole numbers, as a pixel buffer holds them."""
    return np.round(tile * LEVELS)


def _unit(pixels: Tile) -> Tile:
    """From [0, 255] to [0, 1]."""
    return pixels / np.float32(LEVELS)


def _pixel_tiles(program: Program) -> list[Tile]:
    """The test tiles, of values that a pixel buffer can hold."""
    return [_unit(_pixels(tile)) for tile in tiles_for(program.metadata.align, program.tile)]


def _check_pictures(package: Package, program: Program) -> None:
    """Raises ``ExportError`` where input and output are not RGB pictures of the program's sizes."""
    tile, description = program.tile or 0, package.specification.description
    found = [
        (each.name, each.type.imageType.width, each.type.imageType.height, each.type.imageType.colorSpace)
        for each in (*description.input, *description.output)
    ]
    rgb, side = package.specification.description.input[0].type.imageType.RGB, tile * program.metadata.scale
    if found != [(INPUT, tile, tile, rgb), (OUTPUT, side, side, rgb)]:
        raise ExportError(
            f"{package.path}: takes and gives {found}, not one RGB picture of {tile}x{tile} and one of {side}x{side}; "
            "nothing was kept"
        )


def _check_float(package: Package, program: Program, tile: Tile) -> Findings:
    """How far the file's numbers are from the program where nothing but the constants is rounded."""
    report = compare_tiles(program, _engine(package, fp16=False), [tile])
    require_psnr(report, FP16_PSNR, f"{package.path}, computed in float32")
    return {"psnr_in_float32": report.worst_psnr}


def _check_int8(package: Package, program: Program, tile: Tile) -> Findings:
    """What proves an INT8 file, by name; the worse of float32 and float16. Raises ``ExportError``."""
    names = mil_reader.quantised_tensors(program, package)
    same = require_same(contents_of(program), mil_reader.read(package, names), str(package.path))
    found = []
    for fp16, arithmetic in ((False, "float32"), (True, "float16")):
        values = interpreter.run(package, {INPUT: _pixels(tile)}, fp16=fp16, keep=names)
        steps = {node: values[name].astype(np.int16) for name, node in names.items()}
        what = f"{package.path}, computed in {arithmetic}"
        found.append(require_steps(program, tile, steps, _unit(values[OUTPUT]), FP16_PSNR, what))
    worse = {"largest_step": max, "differing_steps": max, "psnr_of_same_steps": min}
    return {**same, **{name: choose(findings[name] for findings in found) for name, choose in worse.items()}}


FP16 = CoremlExporter("fp16", required_psnr=FP16_PSNR, ios=FIRST_IOS["fp16"])
INT8 = CoremlExporter("int8", required_psnr=30, ios=FIRST_IOS["int8"])  # coarse: `export.verification.layer_wise`


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_of("export.coreml", FP16, INT8)
    parser.add_argument(
        "--ios",
        type=int,
        choices=(15, 16, 17, 18),
        help="the oldest iOS that must run it; default: the first that can",
    )
    arguments = parser.parse_args(argv)
    write_all(arguments, *(replace(each, ios=arguments.ios or each.ios) for each in (FP16, INT8)))
