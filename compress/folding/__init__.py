"""What folding makes of trained networks: constants, convolutions, and programs of fixed and of free size."""
