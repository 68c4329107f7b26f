"""INT8 graphs for ONNX Runtime on a processor."""
