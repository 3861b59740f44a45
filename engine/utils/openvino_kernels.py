"""Choice of the kernels that OpenVINO's CPU plugin computes a network's convolutions with."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.utils.openvino_core import core, load_openvino

_CONVOLUTION = re.compile(r'(type="(?:Group)?Convolution"[^>]*>\s*<data )')

DIRECT = "cpu:jit_avx512_dw,cpu:jit_avx512_1x1,cpu:jit_avx512"
"""Direct convolutions in blocked layouts; where a CPU has none of these, those of its own instruction set."""


def with_direct_convolutions(model: Any) -> Any:
    """The same network, whose FP32 convolutions are to be computed directly rather than as matrix products.

    OpenVINO prefers matrix products, which need many channels.  The landmark network has 8 to 128: on a Xeon
    with AVX-512 it takes 3.8 ms in place of 4.9, with AVX2 alone 5.1 in place of 5.8, and the renderer's
    network, whose layers are wide, would take three times as long.

    The wish is an attribute (``PrimitivesPriority``) that OpenVINO's Python interface cannot set: the network
    is written as text, changed, and read again.

    Args:
        model: ``openvino.Model``.
    """
    openvino = load_openvino()
    with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "network.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        text = path.read_text(encoding="utf-8")
        weights = np.fromfile(path.with_suffix(".bin"), np.uint8)
    wish = rf'\g<1>PrimitivesPriority="{DIRECT}" '
    return core().read_model(_CONVOLUTION.sub(wish, text).encode(), openvino.Tensor(weights))
