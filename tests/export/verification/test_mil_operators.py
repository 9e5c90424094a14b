"""Every operation of the interpreter beside torch: as coremltools writes it to a file, and by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from export.verification.mil_interpreter import run
from export.verification.mil_operators import OPERATORS, compute
from tests.export.coreml.packages import Function, package_of
from tests.export.programs import needs_coremltools

decomposed = torch.ops.quantized_decomposed


def picture(channels: int = 8) -> Tensor:
    return torch.randn(1, channels, 6, 10, generator=torch.Generator().manual_seed(0))


class Int8Convolution(nn.Module):
    """Weights in INT8, per channel, as compress.quantize leaves them."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        steps = torch.randint(-127, 128, (6, 8, 3, 3), generator=generator).to(torch.int8)
        self.register_buffer("steps", steps)
        self.register_buffer("scale", torch.rand(6, generator=generator).half().float() / 64)
        self.register_buffer("zero", torch.zeros(6, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        weight = decomposed.dequantize_per_channel(self.steps, self.scale, self.zero, 0, -127, 127, torch.int8)
        return nn.functional.conv2d(x, weight, None, [1, 1], [1, 1])


def rounded(x: Tensor) -> Tensor:
    steps = decomposed.quantize_per_tensor(x, 0.03125, 0, -128, 127, torch.int8)
    dequantized: Tensor = decomposed.dequantize_per_tensor(steps, 0.03125, 0, -128, 127, torch.int8)
    return dequantized


NETWORKS: dict[str, nn.Module] = {
    "add": Function(lambda x: x + nn.functional.relu(x)),
    "sub": Function(lambda x: x - 0.25),
    "mul": Function(lambda x: x * x),
    "relu": nn.ReLU(),
    "silu": nn.SiLU(),
    "clip": Function(lambda x: x.clamp(-0.5, 0.75)),
    "concat": Function(lambda x: torch.cat([x, x + 1], 1)),
    "pixel_shuffle": nn.PixelShuffle(2),
    "conv": nn.Sequential(nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(6, 4, 1)),
    "conv strided": nn.Conv2d(8, 6, 3, stride=2, padding=1),
    "conv depthwise": nn.Conv2d(8, 8, 1, groups=8),
    "conv oblong": nn.Conv2d(8, 4, (3, 5), padding=(2, 1), dilation=(2, 1), bias=False),
    "constexpr_affine_dequantize": Int8Convolution(),
    "quantize": Function(rounded),
    "dequantize": Function(rounded),
    "cast": nn.ReLU(),
}


@needs_coremltools
@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_operation_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    package = package_of(network, picture(), tmp_path, "FLOAT16" if name == "cast" else "FLOAT32")
    assert name.split()[0] in [operation.kind for operation in package.operations]
    with torch.no_grad():
        expected = network(picture()).numpy()
    tolerance = 1e-3 if name == "cast" else 1e-5
    found = run(package, {"x": picture().numpy()}, fp16=False)["y"]
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=tolerance)
    halves = run(package, {"x": picture().numpy()}, fp16=True)["y"]
    np.testing.assert_array_equal(halves, halves.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(halves, expected, atol=0.02, rtol=0.01)


def test_every_operation_is_tested() -> None:
    assert {name.split()[0] for name in NETWORKS} == set(OPERATORS)


@given(
    values=st.lists(st.floats(-40, 40, width=16), min_size=1, max_size=30),
    scale=st.sampled_from([2.0**-4, 0.1, 0.0140533447265625]),
    zero=st.integers(-5, 5),
)
def test_rounding_is_torchs(values: list[float], scale: float, zero: int) -> None:
    x = torch.tensor(values)
    arguments = {"scale": torch.tensor(scale), "zero_point": torch.tensor(zero, dtype=torch.int8)}
    steps = compute("quantize", {"input": x, "output_dtype": "int8", **arguments})
    expected = decomposed.quantize_per_tensor(x, scale, zero, -128, 127, torch.int8)
    # torch multiplies by 1 / scale, so that ties may fall to the other side
    assert (steps.int() - expected.int()).abs().max() <= 1
    near = (torch.remainder(x / scale, 1) - 0.5).abs() < 1e-4
    torch.testing.assert_close(steps[~near], expected[~near])
    back = compute("dequantize", {"input": expected, **arguments})
    torch.testing.assert_close(back, decomposed.dequantize_per_tensor(expected, scale, zero, -128, 127, torch.int8))


def test_ties_go_to_the_even_step_and_values_saturate() -> None:
    x = torch.tensor([-3.5, -2.5, -0.5, 0.5, 1.5, 2.5, 500.0, -500.0])
    steps = compute("quantize", {"input": x, "scale": torch.tensor(1.0), "output_dtype": "int8"})
    assert steps.tolist() == [-4, -2, 0, 0, 2, 2, 127, -128]
    assert compute("quantize", {"input": x, "scale": torch.tensor(1.0), "output_dtype": "uint8"}).tolist()[-2:] == [
        255,
        0,
    ]


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_have_a_scale_and_a_zero_point_per_channel(axis: int) -> None:
    steps = torch.randint(-127, 128, (2, 2, 3, 3), dtype=torch.int8)
    scale, zero = torch.tensor([0.5, 0.25]), torch.tensor([0, 3], dtype=torch.int8)
    expected = decomposed.dequantize_per_channel(steps, scale, zero.long(), axis, -127, 127, torch.int8)
    arguments = {"quantized_data": steps, "scale": scale, "zero_point": zero, "axis": np.int32(axis)}
    torch.testing.assert_close(compute("constexpr_affine_dequantize", arguments), expected)


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        ("softmax", {}, "softmax"),
        ("cast", {"x": torch.zeros(1), "dtype": "int32"}, "cast to int32"),
        ("concat", {"values": [], "axis": np.int32(1), "interleave": np.bool_(True)}, "interleaved concat"),
    ],
)
def test_what_is_not_in_the_table_is_named(kind: str, arguments: dict[str, object], named: str) -> None:
    with pytest.raises(NotImplementedError, match=named):
        compute(kind, arguments)


def test_padding_that_depends_on_the_size_is_named() -> None:
    numbers = {name: np.array([1, 1]) for name in ("strides", "dilations")}
    given = {
        "x": picture(),
        "weight": torch.zeros(4, 8, 3, 3),
        "pad": np.zeros(4, int),
        "groups": np.int32(1),
        **numbers,
    }
    with pytest.raises(NotImplementedError, match="conv with pad_type same"):
        compute("conv", {**given, "pad_type": "same"})
