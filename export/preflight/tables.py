"""What becomes of torch's operations in each format and engine.

Every row was tried, one operation behind a convolution, with torch 2.13, onnxscript 0.7, ONNX Runtime 1.31, OpenVINO
2026.4, ExecuTorch 1.5.1 and coremltools 9.0: ``tests/export/preflight/test_tables.py`` tries them again.
"""

from collections.abc import Mapping
from typing import NamedTuple

INSIDE, OUTSIDE = "inside", "outside"
"""Of the XNNPACK delegate; outside it ExecuTorch's portable kernels compute, one number at a time."""
WRONG = "is computed wrongly by XNNPACK behind a convolution, unless along axis 1"
NO_KERNEL = "ExecuTorch has no kernel for it"
NO_CONVOLUTION = "XNNPACK takes convolutions of one and two dimensions only"


class Row(NamedTuple):
    """One operation."""

    onnx: str
    """The operators that ``torch.onnx.export`` writes; empty where it cannot."""
    executorch: str
    """``INSIDE``, ``OUTSIDE``, or why ExecuTorch rejects it."""
    mil: str
    """The operations that coremltools makes of it; empty where it cannot."""


ROWS: Mapping[str, Row] = {
    "abs": Row("Abs", INSIDE, "abs"),
    "adaptive_avg_pool2d": Row("ReduceMean", INSIDE, "reduce_mean"),
    "add": Row("Add", INSIDE, "add"),
    "avg_pool2d": Row("AveragePool", INSIDE, "avg_pool"),
    "batch_norm": Row("Conv", INSIDE, "conv"),
    "cat": Row("Concat", INSIDE, "concat"),
    "chunk": Row("Split", OUTSIDE, "split"),
    "clamp": Row("Clip", INSIDE, "clip"),
    "conv1d": Row("Conv", INSIDE, "conv"),
    "conv2d": Row("Conv", INSIDE, "conv"),
    "conv3d": Row("Conv", NO_CONVOLUTION, "conv"),
    "conv_transpose2d": Row("ConvTranspose", INSIDE, "conv_transpose"),
    "cos": Row("Cos", INSIDE, "cos"),
    "cumsum": Row("CumSum", OUTSIDE, "cumsum"),
    "div": Row("Div", INSIDE, "real_div"),
    "elu": Row("Elu", OUTSIDE, "elu"),
    "exp": Row("Exp", INSIDE, "exp"),
    "fft_rfft2": Row("Unsqueeze DFT", NO_KERNEL, ""),
    "flatten": Row("Reshape", INSIDE, "reshape"),
    "gelu": Row("Gelu", INSIDE, "gelu"),
    "grid_sampler": Row("GridSample", OUTSIDE, "resample"),
    "group_norm": Row("Reshape InstanceNormalization Mul Add", OUTSIDE, "real_div reduce_mean sqrt square"),
    "gt": Row("Greater", OUTSIDE, "greater"),
    "hardswish": Row("HardSwish", INSIDE, "mul sigmoid_hard thresholded_relu"),
    "instance_norm": Row("InstanceNormalization", OUTSIDE, "instance_norm"),
    "layer_norm": Row("LayerNormalization", OUTSIDE, "layer_norm"),
    "leaky_relu": Row("LeakyRelu", INSIDE, "leaky_relu"),
    "linalg_inv": Row("", NO_KERNEL, ""),
    "linalg_svdvals": Row("", NO_KERNEL, ""),
    "linear": Row("MatMul Add", INSIDE, "linear"),
    "matmul": Row("MatMul", INSIDE, "matmul"),
    "max_pool2d": Row("MaxPool", INSIDE, "max_pool"),
    "mean": Row("ReduceMean", INSIDE, "reduce_mean"),
    "mul": Row("Mul", INSIDE, "mul"),
    "neg": Row("Neg", INSIDE, "mul"),
    "pad": Row("Pad", INSIDE, "pad"),
    "pad, reflect": Row("Pad", OUTSIDE, "pad"),
    "permute": Row("Transpose", INSIDE, "transpose"),
    "pixel_shuffle": Row("DepthToSpace", INSIDE, "pixel_shuffle"),
    "pixel_unshuffle": Row("Reshape Transpose", INSIDE, "pixel_unshuffle"),
    "pow": Row("Pow", INSIDE, "pow"),
    "prelu": Row("PRelu", INSIDE, "leaky_relu"),
    "relu": Row("Relu", INSIDE, "relu"),
    "roll": Row("Slice Concat", OUTSIDE, "gather"),
    "rsqrt": Row("Sqrt Reciprocal", INSIDE, "rsqrt"),
    "scaled_dot_product_attention": Row("Transpose Mul MatMul Softmax", OUTSIDE, "matmul mul softmax"),
    "sigmoid": Row("Sigmoid", INSIDE, "sigmoid"),
    "silu": Row("Sigmoid Mul", INSIDE, "silu"),
    "slice": Row("Slice", INSIDE, "slice_by_index"),
    "softmax": Row("Softmax", WRONG, "softmax"),
    "softplus": Row("Softplus Greater Where", OUTSIDE, "softplus"),
    "sqrt": Row("Sqrt", INSIDE, "sqrt"),
    "sub": Row("Sub", INSIDE, "sub"),
    "tanh": Row("Tanh", INSIDE, "tanh"),
    "topk": Row("TopK", OUTSIDE, "topk"),
    "transpose": Row("Transpose", INSIDE, "transpose"),
    "unflatten": Row("Reshape", INSIDE, "reshape"),
    "upsample_bicubic2d": Row("Resize", OUTSIDE, ""),
    "upsample_bilinear2d": Row("Resize", INSIDE, "upsample_bilinear"),
    "upsample_nearest2d": Row("Resize", OUTSIDE, "upsample_nearest_neighbor"),
    "where": Row("Where", OUTSIDE, "select"),
}
"""By the name of the operation in ``torch.ops.aten``, overloads taken together."""

ONNX_RUNTIME_LACKS: frozenset[str] = frozenset()
"""Its CPU provider has a kernel for every operator of ONNX's own domain (docs/OperatorKernels.md)."""
OPENVINO_LACKS = frozenset({"DFT"})
"""Tried: it reads the operator and fails when it runs it."""
TENSORRT_LACKS = frozenset({"DFT", "Det", "NonMaxSuppression", "Unique"})
"""Not tried, for want of a GPU: docs/operators.md of onnx-tensorrt."""

INT8 = frozenset({"add", "cat", "conv2d", "pixel_shuffle", "relu"})
"""What ``compress.quantize`` makes int8; everything else stays in float between two roundings."""
LARGEST_RANK = 5
"""The most dimensions that Core ML's tensors have (coremltools' checks of ML programs)."""
