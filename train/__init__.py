"""TAD-SR training: a residual-shifting diffusion teacher becomes a one-step student."""
