"""MIL, the language of Core ML's ML programs: reads saved packages and computes them where there is no Mac."""
