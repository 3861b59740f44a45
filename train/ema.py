"""Moving average of the weights, which is validated and shipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a module's parameters (FP32).

    In the beginning it averages over all steps so far, so that the initial weights do not linger.

    Args:
        module: with the weights.
        decay: of the average, 0..1.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.steps = 0
        self.weights: dict[str, Tensor] = {
            name: value.detach().float().clone() for name, value in module.named_parameters()
        }

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Update the average with the module's current weights."""
        self.steps += 1
        share = 1.0 - min(self._decay, self.steps / (self.steps + 10.0))
        now = [value.detach().float() for _, value in module.named_parameters()]
        torch._foreach_lerp_(list(self.weights.values()), now, share)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Overwrite the module's parameters with the averages."""
        for name, value in module.named_parameters():
            value.copy_(self.weights[name])
