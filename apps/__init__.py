"""The command line, benchmarks, recipes and the browser app."""
