"""What ``python -m export.tensorrt`` is made of: the dialect, the rules it obeys, the builders of engines."""
