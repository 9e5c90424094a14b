"""Programs of free size, given one."""

from pathlib import Path

import pytest
import torch

from tadsr.program import ProgramError, for_tile, open_program
from tests.export.programs import TILE, needs_int8


@pytest.mark.parametrize("name", ["student", pytest.param("student.int8", marks=needs_int8)])
@torch.no_grad()
def test_for_one_tile_the_same_is_computed(programs: Path, name: str) -> None:
    program = open_program(programs / f"{name}.pt2")
    sized = for_tile(program, 2 * TILE)
    assert (sized.tile, sized.precision, sized.metadata) == (2 * TILE, program.precision, program.metadata)
    tile = torch.rand(1, 3, 2 * TILE, 2 * TILE)
    torch.testing.assert_close(sized.exported.module()(tile), program.exported.module()(tile), rtol=0, atol=1e-6)
    assert all(
        isinstance(size, int)
        for node in sized.exported.graph.nodes
        if isinstance(value := node.meta.get("val"), torch.Tensor)
        for size in value.shape
    )
    assert for_tile(sized, 2 * TILE) is sized


def test_tiles_that_it_cannot_have(programs: Path) -> None:
    free, sized = (open_program(programs / name) for name in ("student.pt2", f"student.{TILE}.pt2"))
    with pytest.raises(ProgramError, match=f"is for tiles of {TILE} only; give the program of free sizes"):
        for_tile(sized, 2 * TILE)
    for side in (TILE + 1, 0, -2):
        with pytest.raises(ProgramError, match=f"tiles are multiples of 2, not {side}"):
            for_tile(free, side)
