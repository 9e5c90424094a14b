"""Compression: the trained student becomes one static, small graph."""
