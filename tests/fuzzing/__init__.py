"""Damaged and hostile files through the real runtime, each in a process that may die: see `tests.fuzz`."""
