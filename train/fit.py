"""``python -m train fit``: the training loop."""

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

from engine.types import MienError
from train.checkpoint import load_state, save_state, save_weights
from train.config import FitConfig, StageConfig
from train.data.dataset import Batch, PackedData, split_ids, still_ids
from train.ema import Average
from train.losses.objective import Losses, Objective
from train.losses.picture import Perceptual
from train.model import LiveModel
from train.monitor import Monitor
from train.stopping import asked_to_stop
from train.validation import validate


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands: global step, stage, step in the stage."""

    step: int
    stage: int
    inner: int

    @staticmethod
    def at(step: int, stages: tuple[StageConfig, ...]) -> Place | None:
        """The place of a global step; None behind the last stage."""
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
    """One run, from wherever its folder's state says it is.

    Args:
        config: everything about it.
        console: for progress.

    Raises:
        MienError: data missing, a damaged state, a device that is not there.
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
                # A stage trains only some of the parts.
                strategy="ddp_find_unused_parameters_true" if run.devices * run.nodes > 1 else "auto",
            )
        except (RuntimeError, ValueError, TypeError) as error:
            raise MienError(f"configuration: run: {str(error).splitlines()[0]}") from error
        self.fabric.launch()
        self.fabric.seed_everything(run.seed, verbose=False)
        root = Path(config.data.path)
        out, share = config.data.leave_out, config.data.stills
        stills = still_ids(root, out) if share > 0 else []
        self.data = PackedData(root, split_ids(root, "train", out), config.augment, run.seed, stills, share)
        self.unseen = PackedData(root, split_ids(root, "validation", out), None, run.seed)
        self.model = _channels_last(LiveModel(config.model))
        self.judge = Perceptual()
        objective = self.core = Objective(self.model, self.judge)
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, betas=config.optim.betas, weight_decay=0.0
        )
        self.objective, self.optimizer = self.fabric.setup(objective, optimizer)
        self.average = Average(self.model, config.optim.ema)
        self.step, self.seconds, self.best = 0, 0.0, math.inf
        self._resume()
        self.monitor = Monitor(self.output, config, console, self.fabric.is_global_zero)

    def run(self) -> None:
        """Train to the end of the last stage; on Ctrl-C save and raise ``KeyboardInterrupt``."""
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

    def train_step(self, place: Place, batch: Batch) -> Losses:
        """One optimizer step."""
        stage = self.config.stages[place.stage]
        if self._set_for != place.stage:
            self._set_up(place.stage)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(stage, place.inner, self.config.optim.warm_up)
        batch = self.fabric.to_device(batch)
        losses: Losses = self.objective(batch, place.step)
        self.fabric.backward(losses.total)
        norm = self.fabric.clip_gradients(
            self.objective, self.optimizer, max_norm=self.config.optim.clip, error_if_nonfinite=False
        )
        finite = norm is None or bool(torch.isfinite(norm))
        # A gradient scaler (fp16) is always asked for the step: it leaves a bad one out itself and lowers
        # its scale then.
        if finite or self.config.run.precision == "16-mixed":
            self.optimizer.step()
        if not finite:
            self.monitor.skipped += 1
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model)
        losses.parts["total"] = losses.total.detach()
        return losses

    _set_for = -1

    def _set_up(self, stage: int) -> None:
        """Only the stage's parts learn."""
        parts = self.config.stages[stage].train
        self.core.weights = self.config.stages[stage].loss
        for name, child in self.model.named_children():
            child.requires_grad_(name in parts)
        self._set_for = stage

    def _batch(self, step: int) -> Batch | None:
        place = Place.at(step, self.config.stages)
        if place is None:
            return None
        data = self.config.data
        focus = self.config.stages[place.stage].focus
        index = 0 if data.overfit else step
        return self.data.batch(index, data.sources, data.drivings, focus, self.fabric.global_rank)

    def averaged(self) -> LiveModel:
        """A model with the averaged weights, for validation."""
        model = _channels_last(LiveModel(self.config.model).to(self.fabric.device))
        self.average.copy_to(model)
        return model.eval()

    def _validate(self) -> None:
        if not self.fabric.is_global_zero:
            return
        model = self.averaged()
        found = validate(model, self.judge, self.unseen, self.config.run.validation_pairs, rows=14)
        self.monitor.validation(self.step, found)
        facts = {"step": str(self.step), "hours": f"{self.seconds / 3600:.2f}", "ratio": f"{found.ratio:.4f}"}
        weights = dict(model.state_dict())
        save_weights(self.output / "live-last.safetensors", weights, self.config.model, facts)
        if found.ratio < self.best:
            self.best = found.ratio
            save_weights(self.output / "live-best.safetensors", weights, self.config.model, facts)

    def save(self) -> None:
        """Write the state to resume from."""
        if not self.fabric.is_global_zero:
            return
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
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
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.weights = {k: v.to(self.fabric.device) for k, v in state["average"].items()}
        except (KeyError, RuntimeError, ValueError) as error:
            raise MienError(
                f"{self.output}: its state is of another model ({str(error).splitlines()[0]}). "
                "Choose another run.output."
            ) from error
        self.average.steps = state["average_steps"]
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        torch.set_rng_state(state["rng"])
        if "scaler" in state:
            self.fabric.strategy.precision.load_state_dict(state["scaler"])


def _channels_last(model: LiveModel) -> LiveModel:
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
