"""Rewrites of the exported ONNX graphs for runtimes that need more than FP32 at batch 1.

The shipped files are FP32 graphs with half-precision convolution weights, batch 1 and static shapes, which
suits a CPU.  A GPU needs convolutions in FP16 and several sessions in one call; it gets both from the same
two files, so that there is one set of weights with one hash.  ``onnx`` is imported on the first call.
"""

from mien.engine.runtime.graphs.batch_axis import dynamic_batch
from mien.engine.runtime.graphs.precision import half_convolutions
from mien.engine.runtime.graphs.probe import probe, probe_points

__all__ = ["dynamic_batch", "half_convolutions", "probe", "probe_points"]
