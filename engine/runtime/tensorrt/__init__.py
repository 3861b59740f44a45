"""TensorRT runtime: engines, their cache, and the buffers that they work on."""
