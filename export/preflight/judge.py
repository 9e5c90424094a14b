"""A program's graph read by the tables: what each backend does with each operation."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from torch.fx import Node

from export.preflight import tables
from tadsr.program import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE, Program

ROUNDINGS = (QUANTIZE, DEQUANTIZE, DEQUANTIZE_WEIGHT)


class Verdict(StrEnum):
    """What a backend does with an operation."""

    ACCEPTED = "accepted"
    """It runs, in float; in ExecuTorch outside the delegate."""
    DELEGATED = "delegated"
    """It runs in float in the delegate."""
    QUANTISED = "quantised"
    """It runs in INT8."""
    REJECTED = "rejected"


Judgement = tuple[Verdict, str | None]
"""And why, where it is rejected."""
ACCEPTED: Judgement = (Verdict.ACCEPTED, None)


@dataclass(frozen=True)
class Finding:
    """What one backend does with all operations of a kind."""

    backend: str
    precision: str
    operation: str
    count: int
    verdict: Verdict
    reason: str | None


def _onnx(lacks: frozenset[str], engine: str) -> Callable[[tables.Row], Judgement]:
    def judge(row: tables.Row) -> Judgement:
        if not row.onnx:
            return Verdict.REJECTED, "torch.onnx cannot write it"
        if missing := sorted(lacks.intersection(row.onnx.split())):
            return Verdict.REJECTED, f"becomes ONNX's {', '.join(missing)}, which {engine} cannot run"
        return ACCEPTED

    return judge


def _executorch(row: tables.Row) -> Judgement:
    known = {tables.INSIDE: (Verdict.DELEGATED, None), tables.OUTSIDE: ACCEPTED}
    return known.get(row.executorch, (Verdict.REJECTED, row.executorch))


def _coreml(row: tables.Row) -> Judgement:
    if not row.mil:
        return Verdict.REJECTED, "coremltools cannot convert it"
    from export.verification.mil_operators import OPERATORS

    if unknown := sorted(set(row.mil.split()) - OPERATORS.keys()):
        return Verdict.REJECTED, f"becomes MIL's {', '.join(unknown)}, which the interpreter cannot check"
    return ACCEPTED


@dataclass(frozen=True)
class Backend:
    """A backend and the precisions that it has."""

    name: str
    precisions: tuple[str, ...]
    judge: Callable[[tables.Row], Judgement]
    largest_rank: int | None = None


BACKENDS = (
    Backend("onnxruntime", ("fp32", "fp16", "int8"), _onnx(tables.ONNX_RUNTIME_LACKS, "ONNX Runtime")),
    Backend("openvino", ("fp32", "fp16", "int8"), _onnx(tables.OPENVINO_LACKS, "OpenVINO")),
    Backend("tensorrt", ("fp32", "fp16", "int8"), _onnx(tables.TENSORRT_LACKS, "TensorRT")),
    Backend("executorch", ("fp32", "int8"), _executorch),
    Backend("coreml", ("fp16", "int8"), _coreml, largest_rank=tables.LARGEST_RANK),
)


def check(program: Program) -> list[Finding]:
    """What every backend does with every kind of operation, and with each precision that the program can have.

    Of a float program INT8 is what ``compress.quantize`` would make of it; an INT8 program has no other precision.
    """
    found: Counter[tuple[str, str, str, Judgement]] = Counter()
    nodes = list(_operations(program))
    for backend in BACKENDS:
        for precision in backend.precisions:
            if program.precision == "fp32" or precision == "int8":
                for node in nodes:
                    found[backend.name, precision, name_of(node), _judge(backend, precision, node, program)] += 1
    return [
        Finding(backend, precision, operation, count, verdict, reason)
        for (backend, precision, operation, (verdict, reason)), count in found.items()
    ]


def name_of(node: Node) -> str:
    """The operation as the tables call it."""
    name = str(node.target).split(".")[-2]
    mode = node.args[2] if name == "pad" and len(node.args) > 2 else "constant"
    return name if mode == "constant" else f"{name}, {mode}"


def _operations(program: Program) -> Iterator[Node]:
    """Those of the graph that compute, and roundings that no backend takes."""
    for node in program.exported.graph.nodes:
        is_operation = node.op == "call_function" and hasattr(node.target, "namespace")
        if is_operation and (str(node.target) not in ROUNDINGS or _is_asymmetric(node)):
            yield node


def _is_asymmetric(node: Node) -> bool:
    return str(node.target) != DEQUANTIZE_WEIGHT and bool(node.args[2] != 0)


def _judge(backend: Backend, precision: str, node: Node, program: Program) -> Judgement:
    if str(node.target) in ROUNDINGS:
        return Verdict.REJECTED, "has a zero point that is not 0: no backend is given such a program"
    row = tables.ROWS.get(name_of(node))
    if row is None:
        return Verdict.REJECTED, "is in no table: try the exporter itself, and add a row to export/preflight/tables.py"
    if backend.largest_rank is not None and len(node.meta["val"].shape) > backend.largest_rank:
        return Verdict.REJECTED, f"has more than {backend.largest_rank} dimensions"
    verdict, reason = backend.judge(row)
    if verdict is not Verdict.REJECTED and precision == "int8" and _is_int8(node, program):
        return Verdict.QUANTISED, None
    return verdict, reason


def _is_int8(node: Node, program: Program) -> bool:
    """Whether the operation computes in INT8, or would once the program is quantised."""
    if name_of(node) not in tables.INT8:
        return False
    if program.precision == "fp32":
        return True
    data = [source for source in node.all_input_nodes if source.op == "call_function"]
    if name_of(node) == "relu" and name_of(data[0]) == "conv2d":
        return _is_int8(data[0], program) and any(str(user.target) == QUANTIZE for user in node.users)
    return bool(data) and all(str(source.target) in (DEQUANTIZE, DEQUANTIZE_WEIGHT) for source in data)
