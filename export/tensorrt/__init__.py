"""ONNX for TensorRT, its engines, and Torch-TensorRT."""
