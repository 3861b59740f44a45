"""``mien train fit``: the training loop."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import nn

from mien.engine.types import ModelError, UsageError
from mien.train.checkpoint import load_state, save_state, save_weights
from mien.train.config import FitConfig, StageConfig
from mien.train.ema import Average
from mien.train.losses.results import Losses
from mien.train.monitor import Monitor
from mien.train.stopping import asked_to_stop
from mien.train.tasks import make_task
from mien.train.tasks.base import Update


@dataclass(frozen=True, slots=True)
class Place:
    """Position of a run: global step, stage, step in the stage."""

    step: int
    stage: int
    inner: int

    @staticmethod
    def at(step: int, stages: tuple[StageConfig, ...]) -> Place | None:
        """The position of a global step; None after the last stage."""
        inner = step
        for index, stage in enumerate(stages):
            if inner < stage.steps:
                return Place(step, index, inner)
            inner -= stage.steps
        return None


def learning_rate(stage: StageConfig, inner: int, warm_up: int) -> float:
    """A short linear rise, then a cosine from ``rate`` to ``rate * final``."""
    rise = min(1.0, (inner + 1) / max(1, min(warm_up, stage.steps)))
    share = 0.5 + 0.5 * math.cos(math.pi * inner / max(1, stage.steps))
    return stage.rate * rise * (stage.final + (1.0 - stage.final) * share)


class Fit:
    """One training run, resumed from its folder's state if there is one.

    Args:
        config: of the whole run.
        console: for progress.

    Raises:
        MienError: missing data, a damaged state, or an unavailable device.
    """

    def __init__(self, config: FitConfig, console: Console) -> None:
        self.config = config
        run = config.run
        self.output = Path(run.output)
        if run.threads:
            torch.set_num_threads(run.threads)
        try:
            self.fabric = Fabric(
                accelerator=run.accelerator,
                devices=run.devices,
                num_nodes=run.nodes,
                precision=run.precision,  # type: ignore[arg-type]
                # A stage may train only some of the parts.
                strategy="ddp_find_unused_parameters_true" if run.devices * run.nodes > 1 else "auto",
            )
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(f"configuration: run: {str(error).splitlines()[0]}") from error
        self.fabric.launch()
        self.fabric.seed_everything(run.seed, verbose=False)
        self.task = make_task(config)
        self.model = self.task.model
        self.updates = [self.fabric.setup(u.objective, self._optimizer(u)) for u in self.task.updates]
        self.average = Average(self.model, config.optim.ema)
        self.step, self.seconds, self.best = 0, 0.0, math.inf
        self._resume()
        self.monitor = Monitor(self.output, config, console, self.fabric.is_global_zero)

    def _optimizer(self, update: Update) -> torch.optim.Optimizer:
        optim = self.config.optim
        groups: list[dict[str, Any]] = [{"params": list(update.parameters), "times": 1.0}]
        filters = list(update.filters)
        if filters:
            groups.append({"params": filters, "times": optim.filter_rate})
        return torch.optim.AdamW(groups, lr=1e-4, betas=optim.betas, weight_decay=0.0)

    def run(self) -> None:
        """Train to the end of the last stage; on Ctrl-C, save and raise ``KeyboardInterrupt``."""
        total = sum(stage.steps for stage in self.config.stages)
        saved = time.monotonic()
        with (
            asked_to_stop(self.fabric.world_size == 1) as stop,
            ThreadPoolExecutor(1, thread_name_prefix="batches") as loader,
            self.monitor.progress(total, self.step) as progress,
        ):
            waiting = loader.submit(self._batch, self.step)
            while (place := Place.at(self.step, self.config.stages)) is not None:
                began = time.monotonic()
                batch = waiting.result()
                assert batch is not None
                waiting = loader.submit(self._batch, self.step + 1)
                losses = self.train_step(place, batch)
                self.seconds += time.monotonic() - began
                self.step += 1
                progress(self.step, self.config.stages[place.stage].name, losses.parts)
                last = self.step == total
                if last or self.step % self.config.run.validate_every == 0:
                    self._validate()
                if last or stop() or time.monotonic() - saved > 60 * self.config.run.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
                if stop():
                    raise KeyboardInterrupt

    def train_step(self, place: Place, batch: Any) -> Losses:
        """Take one step of every optimizer; returns the first one's losses with the others' parts."""
        stage = self.config.stages[place.stage]
        if self._set_for != place.stage:
            self.task.enter(place.stage, stage)
            self._set_for = place.stage
        rate = learning_rate(stage, place.inner, self.config.optim.warm_up)
        batch = self.fabric.to_device(batch)
        first: Losses | None = None
        for objective, optimizer in self.updates:
            before = () if first is None else (first,)
            losses: Losses = objective(batch, place.step, *before)
            self._descend(objective, optimizer, losses.total, rate)
            first = losses if first is None else first
            first.parts.update(losses.parts)
        assert first is not None
        self.average.update(self.model)
        first.parts["total"] = first.total.detach()
        return first

    def _descend(self, objective: Any, optimizer: Any, total: torch.Tensor, rate: float) -> None:
        if not total.requires_grad:
            return  # this optimizer has nothing to learn in this stage
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("times", 1.0)
        self.fabric.backward(total)
        norm = self.fabric.clip_gradients(
            objective, optimizer, max_norm=self.config.optim.clip, error_if_nonfinite=False
        )
        finite = norm is None or bool(torch.isfinite(norm))
        # A gradient scaler (fp16) is always called: it skips a bad step by itself and lowers its scale
        # then.
        if finite or self.config.run.precision == "16-mixed":
            optimizer.step()
        if not finite:
            self.monitor.skipped += 1
        optimizer.zero_grad(set_to_none=True)

    _set_for = -1

    def _batch(self, step: int) -> Any:
        place = Place.at(step, self.config.stages)
        if place is None:
            return None
        index = 0 if self.config.data.overfit else step
        return self.task.batch(index, self.config.stages[place.stage], self.fabric.global_rank)

    def averaged(self) -> nn.Module:
        """A model with the averaged weights (and the current running statistics), for validation."""
        model = self.task.fresh().to(self.fabric.device)
        self.average.copy_to(model)
        present = dict(self.model.named_buffers())
        for name, value in model.named_buffers():
            value.copy_(present[name])
        return model.eval()

    def _validate(self) -> None:
        if not self.fabric.is_global_zero:
            return
        model = self.averaged()
        found = self.task.validate(model, self.config.run.validation_pairs)
        self.monitor.validation(self.step, found)
        facts = {"step": str(self.step), "hours": f"{self.seconds / 3600:.2f}", "ratio": f"{found.ratio:.4f}"}
        facts |= self.task.facts()
        weights, shape, name = dict(model.state_dict()), self.task.shape, self.task.name
        save_weights(self.output / f"{name}-last.safetensors", weights, shape, facts)
        if found.ratio < self.best:
            self.best = found.ratio
            save_weights(self.output / f"{name}-best.safetensors", weights, shape, facts)

    def save(self) -> None:
        """Write the state from which to resume."""
        if not self.fabric.is_global_zero:
            return
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.updates[0][1].state_dict(),
            "helpers": {name: module.state_dict() for name, module in self.task.helpers.items()},
            "other_optimizers": [optimizer.state_dict() for _, optimizer in self.updates[1:]],
            "average": self.average.weights,
            "average_steps": self.average.steps,
            "rng": torch.get_rng_state(),
            "config": self.config.to_json(),
        }
        scaler = self.fabric.strategy.precision.state_dict()
        if scaler:  # fp16 alone
            state["scaler"] = scaler
        save_state(self.output, state)

    def _resume(self) -> None:
        state = load_state(self.output)
        if state is None:
            return
        try:
            self.model.load_state_dict(state["model"])
            self.updates[0][1].load_state_dict(state["optimizer"])
            for name, module in self.task.helpers.items():
                module.load_state_dict(state["helpers"][name])
            # A state of the live preset from before there were presets has no such entry.
            others = state.get("other_optimizers", [])
            for (_, optimizer), saved in zip(self.updates[1:], others, strict=True):
                optimizer.load_state_dict(saved)
            self.average.weights = {k: v.to(self.fabric.device) for k, v in state["average"].items()}
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self.output}: its state belongs to another model ({str(error).splitlines()[0]}). "
                "Choose another run.output."
            ) from error
        self.average.steps = state["average_steps"]
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        torch.set_rng_state(state["rng"])
        if "scaler" in state:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])
