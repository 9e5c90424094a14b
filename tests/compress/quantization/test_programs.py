"""The INT8 programs as graphs: what is stored, at which scales, and that nothing of this machine is."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

pytest.importorskip("torchao", reason="INT8 is made by torchao; pip install 'tadsr[compress]'")
pytest.importorskip("nncf", reason="ranges are measured by NNCF; pip install 'tadsr[compress]'")

from compress import quantize
from tadsr.program import open_program
from tests.compress.graph_facts import convolutions, free_sizes, largest_rank, operators
from tests.export.programs import TILE

FREE, STATIC = "student.int8.pt2", f"student.int8.{TILE}.pt2"
NAMES = [FREE, STATIC]
QUANTIZED = {"quantize_per_tensor", "dequantize_per_tensor", "dequantize_per_channel"}


@pytest.fixture(scope="module")
def folder(asked: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("int8")
    quantize.main([*asked(out, keep_float="decoder.4.conv1"), "--ptq"])
    return out


@pytest.fixture(scope="module")
def programs(folder: Path) -> dict[str, ExportedProgram]:
    return {name: open_program(folder / name).exported for name in NAMES}


def activations(program: ExportedProgram) -> list[tuple[str, tuple[object, ...]]]:
    """Every rounding of an activation in order: the operator, and scale, zero point, lowest, highest and type."""
    return [
        (node.target._schema.name.partition("::")[2], node.args[1:])
        for node in program.graph.nodes
        if node.op == "call_function" and "quantize_per_tensor" in str(node.target)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_int8_with_a_scale_per_output_channel(programs: dict[str, ExportedProgram], name: str) -> None:
    found = convolutions(programs[name])
    in_float = [one for one in found if one.scales is None]
    assert len(found) == 25
    assert len(in_float) == 8, "the outermost three, the one that was named, and those of colour"
    assert all(one.weight.dtype == torch.float32 for one in in_float)
    for one in found:
        if one.scales is not None:
            assert one.weight.dtype == torch.int8
            assert one.weight.abs().max() <= 127
            assert one.axis == 0
            assert one.scales.shape == one.weight.shape[:1]
            assert one.scales.half().float().equal(one.scales)
            assert one.scales.min() >= 2**-14


@pytest.mark.parametrize("name", NAMES)
def test_activations_have_one_scale_each_and_zero_points_are_zero(
    programs: dict[str, ExportedProgram], name: str
) -> None:
    found = activations(programs[name])
    assert {kind for kind, _ in found} == {"quantize_per_tensor", "dequantize_per_tensor"}
    for _, (scale, zero_point, lowest, highest, kind) in found:
        assert isinstance(scale, float)
        assert float(torch.tensor(scale).half()) == scale >= 2**-14
        assert (zero_point, lowest, highest, kind) == (0, -128, 127, torch.int8)
    for zero_points in (node.args[2] for node in _per_channel(programs[name])):
        assert not stored(programs[name], zero_points).any()


@pytest.mark.parametrize("name", NAMES)
def test_graph_holds_nothing_but_what_is_deployed_and_its_roundings(
    programs: dict[str, ExportedProgram], name: str
) -> None:
    allowed = {"conv2d", "relu", "add", "sub", "mul", "cat", "pixel_shuffle", "clamp"} | QUANTIZED
    assert operators(programs[name]) <= allowed
    assert largest_rank(programs[name]) <= 4
    assert bool(free_sizes(programs[name])) == (name == FREE)


def test_all_sizes_have_the_same_weights_and_scales(programs: dict[str, ExportedProgram]) -> None:
    free, static = (programs[name] for name in NAMES)
    assert activations(free) == activations(static)
    for one, other in zip(convolutions(free), convolutions(static), strict=True):
        assert one.weight.equal(other.weight)
        assert (one.scales is None) == (other.scales is None)
        assert one.scales is None or (other.scales is not None and one.scales.equal(other.scales))
    biases = [
        {key: value for key, value in program.state_dict.items() if key.endswith("bias")} for program in (free, static)
    ]
    assert biases[0].keys() == biases[1].keys()
    assert all(value.equal(biases[1][key]) for key, value in biases[0].items())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_this_machine_is_in_the_file(folder: Path, name: str) -> None:
    with zipfile.ZipFile(folder / name) as archive:
        texts = {entry: archive.read(entry) for entry in archive.namelist()}
    for entry, text in texts.items():
        assert b"stack_trace" not in text, entry
        assert not re.search(rb"/[\w.+-]+(/[\w.+-]+)*\.py\b", text), entry
        assert str(Path.cwd()).encode() not in text, entry
        assert str(folder).encode() not in text, entry


@pytest.mark.parametrize("name", NAMES)
def test_no_float_copy_of_the_int8_weights_is_kept(programs: dict[str, ExportedProgram], name: str) -> None:
    kinds = {key: value.dtype for key, value in programs[name].state_dict.items() if value.dim() == 4}
    assert sum(kind == torch.int8 for kind in kinds.values()) == 17
    assert sum(kind == torch.float32 for kind in kinds.values()) == 8


def _per_channel(program: ExportedProgram) -> list[Node]:
    return [node for node in program.graph.nodes if "dequantize_per_channel" in str(node.target)]


def stored(program: ExportedProgram, node: object) -> Tensor:
    assert isinstance(node, Node)
    places = {**program.graph_signature.inputs_to_buffers, **program.graph_signature.inputs_to_lifted_tensor_constants}
    return program.state_dict.get(places[node.name], program.constants.get(places[node.name]))
