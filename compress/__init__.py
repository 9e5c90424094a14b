"""Compression: the trained student becomes one static, small graph."""

from tadsr.extras import require

require("train", "torch", "safetensors")
