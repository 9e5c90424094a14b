"""ONNX for ONNX Runtime and OpenVINO."""
