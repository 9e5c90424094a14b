"""Compression: the trained student becomes one static, small graph."""

from runtime.extras import require

require("train", "torch", "safetensors")
