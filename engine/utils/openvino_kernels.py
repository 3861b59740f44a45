"""Choice of the kernels that OpenVINO's CPU plugin computes a network's convolutions with."""

from __future__ import annotations

import re
from dataclasses import replace

from mien.engine.utils.converted import NetworkText

_CONVOLUTION = re.compile(r'(type="(?:Group)?Convolution"[^>]*>\s*<data )')

DIRECT = "cpu:jit_avx512_dw,cpu:jit_avx512_1x1,cpu:jit_avx512"
"""Direct convolutions in blocked layouts; where a CPU has none of these, those of its own instruction set."""


def with_direct_convolutions(network: NetworkText) -> NetworkText:
    """The same network, whose FP32 convolutions are to be computed directly rather than as matrix products.

    OpenVINO prefers matrix products, which need many channels.  The landmark network has 8 to 128: on a Xeon
    with AVX-512 it takes 3.8 ms in place of 4.9, with AVX2 alone 5.1 in place of 5.8, and the renderer's
    network, whose layers are wide, would take three times as long.

    The wish is an attribute (``PrimitivesPriority``) that OpenVINO's Python interface cannot set.
    """
    wish = rf'\g<1>PrimitivesPriority="{DIRECT}" '
    return replace(network, graph=_CONVOLUTION.sub(wish, network.graph))
