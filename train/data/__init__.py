"""Photos, synthetic pictures and their degradation."""
