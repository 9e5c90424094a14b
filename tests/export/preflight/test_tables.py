"""The tables of preflight beside what the engines really do with each operation."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.export import ExportedProgram

from export.onnx.engines import ENGINES
from export.preflight import tables
from export.preflight.judge import name_of
from tests.export.preflight.one_op import OPERATIONS, SIDE, program_of
from tests.export.programs import needs_coremltools, needs_executorch

pytestmark = pytest.mark.slow
LACKS = {"onnxruntime": tables.ONNX_RUNTIME_LACKS, "openvino": tables.OPENVINO_LACKS}
CLOSE = 1e-5
TILE = np.random.default_rng(0).random((1, 3, SIDE, SIDE), dtype=np.float32)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def rows_of(program: ExportedProgram) -> list[tables.Row]:
    return [tables.ROWS[name_of(node)] for node in program.graph.nodes if hasattr(node.target, "namespace")]


def is_right(answer: Any, program: ExportedProgram) -> bool:
    right = program.module()(torch.from_numpy(TILE)).numpy()
    return bool(np.allclose(answer, right, atol=CLOSE))


@pytest.mark.parametrize("engine", LACKS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_onnx(operation: str, engine: str) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"needs {engine}, which is not installed")
    program = program_of(OPERATIONS[operation])
    rows = rows_of(program)
    try:
        converted = torch.onnx.export(program, dynamo=True, input_names=["lr"], output_names=["sr"], verbose=False)
    except Exception:
        assert not all(row.onnx for row in rows)
        return
    assert converted is not None
    model = converted.model_proto
    written = {node.op_type for node in model.graph.node}
    assert {operator for row in rows for operator in row.onnx.split()} >= written - {"Reshape", "Mul", "ReduceL2"}
    expected = not LACKS[engine].intersection(written)
    try:
        (answer,) = ENGINES[engine](model.SerializeToString())(["sr"], TILE)
    except Exception:
        assert not expected
    else:
        assert expected == is_right(answer, program)


@needs_executorch
@pytest.mark.parametrize("operation", OPERATIONS)
def test_executorch(operation: str) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    program = program_of(OPERATIONS[operation])
    table = {row.executorch for row in rows_of(program)}
    try:
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        loaded = Runtime.get().load_program(edge.to_executorch().buffer)
        method = loaded.load_method("forward")
        assert method is not None
        right = is_right(method.execute([torch.from_numpy(TILE)])[0].numpy(), program)
    except Exception:
        right = False
    assert right == (table <= {tables.INSIDE, tables.OUTSIDE})
    if table == {tables.INSIDE}:
        moves = ("delegate", "getitem", "alloc", "dim_order", "expand_copy")
        outside = [n for n in edge.exported_program().graph.nodes if n.op == "call_function"]
        assert not [node for node in outside if not any(move in str(node.target) for move in moves)]


@needs_coremltools
@pytest.mark.parametrize("operation", OPERATIONS)
def test_coreml(operation: str) -> None:
    import coremltools as ct

    program = program_of(OPERATIONS[operation])
    rows = rows_of(program)
    try:
        model = ct.convert(
            program.run_decompositions({}),
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            skip_model_load=True,
        )
    except Exception:
        assert not all(row.mil for row in rows)
        return
    written = {op.op_type for op in model._mil_program.functions["main"].operations} - {"const", "cast"}
    assert all(row.mil for row in rows)
    assert written - {"reshape", "add", "sub"} <= {operation for row in rows for operation in row.mil.split()}
