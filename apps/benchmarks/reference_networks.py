"""The network beside reference networks of well-known shapes, in one process and one engine.

Their weights are random: neither their speed nor their size depends on the values. Shapes: RRDB, Wang et al.,
"ESRGAN" (2018), as in Real-ESRGAN x4plus; SRVGG, the compact network of Real-ESRGAN's realesr-general-x4v3.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.errors import CommandError
from runtime.backends import choose
from runtime.backends.onnx import ERRORS_ONLY
from runtime.bundle import Bundle
from tadsr.measuring import Call, Timing, time_in_rounds

if TYPE_CHECKING:
    import onnx

SIDE = 128
SCALE = 4
WEIGHTED = ("Conv", "PRelu")
OPSET = 17
IR_VERSION = 8  # what every ONNX Runtime since 1.10 reads


@dataclass(frozen=True)
class NetworkTiming:
    """One network at 1x3x128x128 in. `ratio_to_ours` is its median over the bundle's: above 1, ours is faster."""

    network: str
    parameters: int
    gmacs: float
    median_ms: float
    min_ms: float
    ratio_to_ours: float


def time_side_by_side(bundle: Bundle, *, threads: int | None, repeats: int) -> list[NetworkTiming]:
    """Time the bundle's fp32 ONNX file, the first row, and both reference networks.

    Raises `CommandError` or `BundleError`.
    """
    try:
        import onnx
    except ImportError as error:
        raise CommandError('--peers builds networks with onnx, which is missing: pip install "tadsr[dev]"') from error
    artifact = choose(bundle.manifest, "onnx", "fp32")[0].artifact
    if artifact.tile not in (None, SIDE):
        raise CommandError(f"{bundle.path}: {artifact.file} takes only tiles of {artifact.tile}; --peers needs {SIDE}")
    networks = {
        bundle.manifest.name: onnx.load_from_string(bundle.open(artifact)),
        "RRDB (x4plus)": rrdb(),
        "SRVGG (general-x4v3)": srvgg(),
    }
    timings = time_networks(networks, threads=threads, repeats=repeats)
    ours = timings[bundle.manifest.name].median
    rows = []
    for name, model in networks.items():
        (parameters, macs), timing = count(model, SIDE), timings[name]
        times = 1e3 * timing.median, 1e3 * timing.least, timing.median / ours
        rows.append(NetworkTiming(name, parameters, macs / 1e9, *times))
    return rows


def time_networks(
    networks: Mapping[str, "onnx.ModelProto"], *, threads: int | None, repeats: int, side: int = SIDE
) -> dict[str, Timing]:
    """Time one call of each network in ONNX Runtime on the CPU, in rounds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Each session has threads of its own, which would go on spinning into the next session's run.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    batch = {"lr": np.random.default_rng(0).random((1, 3, side, side), np.float32)}

    def call(model: "onnx.ModelProto") -> Call:
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
        return lambda: session.run(["sr"], batch)

    return time_in_rounds({name: call(model) for name, model in networks.items()}, repeats)


def count(model: "onnx.ModelProto", side: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates of all convolutions (biases and PReLU slopes are parameters too).

    The input is [1, 3, side, side].
    """
    import onnx

    still = onnx.ModelProto()
    still.CopyFrom(model)
    del still.graph.value_info[:]
    shape = still.graph.input[0].type.tensor_type.shape
    for dimension, length in zip(shape.dim, (1, 3, side, side), strict=True):
        dimension.dim_value = length
    still.graph.output[0].type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(still, strict_mode=True, data_prop=True).graph
    weights = {weight.name: list(weight.dims) for weight in graph.initializer}
    outputs = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    weighted = [node for node in graph.node if node.op_type in WEIGHTED]
    used = {name for node in weighted for name in node.input if name in weights}
    parameters = sum(math.prod(weights[name]) for name in used)
    macs = sum(
        math.prod(outputs[node.output[0]]) * math.prod(weights[node.input[1]][1:])
        for node in weighted
        if node.op_type == "Conv"
    )
    return parameters, macs


def rrdb(blocks: int = 23, features: int = 64, growth: int = 32) -> "onnx.ModelProto":
    """Residual-in-residual dense blocks: 16.7 M parameters, 294 GMACs from 128x128 as it stands.

    [N, 3, H, W] `lr` to [N, 3, 4H, 4W] `sr`.
    """
    graph = _Graph()

    def dense_block(x: str) -> str:
        grown = [x]
        for i in range(4):
            grown.append(graph.leaky(graph.conv(graph.concat(grown), features + i * growth, growth)))
        return graph.residual(graph.conv(graph.concat(grown), features + 4 * growth, features), x)

    first = graph.conv("lr", 3, features)
    x = first
    for _ in range(blocks):
        inner = x
        for _ in range(3):
            inner = dense_block(inner)
        x = graph.residual(inner, x)
    x = graph.add("Add", first, graph.conv(x, features, features))
    for _ in range(2):
        x = graph.leaky(graph.conv(graph.nearest(x, 2), features, features))
    x = graph.leaky(graph.conv(x, features, features))
    return graph.model(graph.conv(x, features, 3))


def srvgg(convolutions: int = 32, features: int = 64) -> "onnx.ModelProto":
    """A plain stack at LR resolution: 1.2 M parameters, 19.8 GMACs from 128x128 as it stands.

    [N, 3, H, W] `lr` to [N, 3, 4H, 4W] `sr`.
    """
    graph = _Graph()
    x = graph.prelu(graph.conv("lr", 3, features), features)
    for _ in range(convolutions):
        x = graph.prelu(graph.conv(x, features, features), features)
    x = graph.conv(x, features, 3 * SCALE**2)
    x = graph.add("DepthToSpace", x, blocksize=SCALE, mode="CRD")
    return graph.model(graph.add("Add", x, graph.nearest("lr", SCALE)))


class _Graph:
    """Nodes and random weights that become a model; every method returns the name of its result."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._random = np.random.default_rng(0)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def conv(self, x: str, channels: int, features: int) -> str:
        # He's scale keeps activations near 1, far from the denormal numbers that slow a CPU down.
        weight = self._random.normal(0, math.sqrt(2 / (9 * channels)), (features, channels, 3, 3))
        return self.add("Conv", x, self.constant(weight), self.constant(np.zeros(features)), pads=[1, 1, 1, 1])

    def concat(self, parts: list[str]) -> str:
        return self.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def leaky(self, x: str) -> str:
        return self.add("LeakyRelu", x, alpha=0.2)

    def prelu(self, x: str, features: int) -> str:
        return self.add("PRelu", x, self.constant(np.full((features, 1, 1), 0.25)))

    def residual(self, x: str, onto: str) -> str:
        return self.add("Add", self.add("Mul", x, self.constant(0.2)), onto)

    def nearest(self, x: str, factor: int) -> str:
        scales = self.constant([1, 1, factor, factor])
        grid = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, mode="nearest", **grid)

    def model(self, output: str) -> "onnx.ModelProto":
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Identity", [output], ["sr"]))
        picture: list[str | int | None] = ["batch", 3, "height", "width"]
        graph = helper.make_graph(
            self._nodes,
            "reference",
            [helper.make_tensor_value_info("lr", TensorProto.FLOAT, picture)],
            [helper.make_tensor_value_info("sr", TensorProto.FLOAT, ["batch", 3, None, None])],
            self._constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
