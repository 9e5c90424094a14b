"""TAD-SR training: a residual-shifting diffusion teacher becomes a one-step student."""

from tadsr.extras import require

require("train", "torch", "safetensors", "lightning_fabric", "tyro")
