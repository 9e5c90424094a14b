"""What engines and precisions are called in tables."""

PRECISIONS = {"fp32": "fp32", "fp16": "fp16", "int8": "INT8"}
ENGINES = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "executorch": "ExecuTorch",
    "coreml": "Core ML",
    "tensorrt": "TensorRT",
}
