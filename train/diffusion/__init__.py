"""The residual-shifting diffusion, and the spaces that it works in."""
