"""What a one-step student is trained for: losses that involve teacher and diffusion, as pure functions."""
