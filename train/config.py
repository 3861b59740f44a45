"""Configuration of a training run: one dataclass per part, read from TOML, changed by ``--set a.b=c``."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mien.engine.types import UsageError
from mien.train.data.augment import AugmentConfig
from mien.train.model.config import LiveConfig
from mien.train.model.paper.config import PaperConfig
from mien.train.model.paper.discriminator import DiscriminatorConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The training data.

    Attributes:
        path: output folder of ``prepare``.
        sources, drivings: a batch has ``sources`` portraits with ``drivings`` driving frames each.
        overfit: train on the first batch only (a sanity check: its loss must drop far).
        stills: share of portraits that are stills moved by other clips' motion (``prepare --stills``).
        mouths: share of portraits that are stills whose mouths were closed (``prepare --mouths``).
        kept: number of samples whose painter's inputs are computed once and kept in memory (370 KB each), for
            stages that train the painter alone: three times as many steps an hour, of fewer augmentations.
            0: each sample is new.
        leave_out: a subject to validate on instead of the split's people (leave-one-subject-out).
    """

    path: str = "packed"
    sources: int = 4
    drivings: int = 3
    overfit: bool = False
    stills: float = 0.0
    mouths: float = 0.0
    kept: int = 0
    leave_out: str = ""


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the losses; 0 disables one.

    Attributes:
        flow: robust distance to the teacher flow where it is visible, in pixels of 256.
        face: share of ``flow`` kept inside the face, where landmarks are better than the teacher.
        landmarks: distance of the landmarks found by the tracker's network in the generated image, in pixels.
        occlusion: binary cross entropy with the teacher's visibility.
        smooth: total variation of the correction's contribution where the teacher is blind.
        warped: L1 of the warped image.
        pyramid: L1 of the opened mouth's inside, as it is shown, at 256, 128 and 64 pixels.
        perceptual: distance of ImageNet features of the mouth, within a square around it.
        adversarial, matching: LSGAN and feature matching with a discriminator of the crops.
        crop: side in grid nodes (a multiple of 8) of the crop around the mouth to which painting is
            restricted; 0 paints the whole image, at eight times the cost.
        side: of the square around the mouth that ``perceptual`` sees, pixels; 112 is about twice its own.
    """

    flow: float = 1.0
    face: float = 1.0
    landmarks: float = 0.0
    occlusion: float = 0.3
    smooth: float = 0.05
    warped: float = 0.0
    pyramid: float = 0.0
    perceptual: float = 0.0
    adversarial: float = 0.0
    matching: float = 0.0
    crop: int = 0
    side: int = 112


@dataclass(frozen=True, slots=True)
class PaperLossConfig:
    """Weights of the ``paper`` preset's losses, as published; 0 disables one.

    Attributes:
        perceptual: distance of ImageNet features, summed over the layers and ``scales``.
        generator_gan, discriminator_gan: LSGAN.
        feature_matching: L1 of the discriminator's features.
        equivariance_value, equivariance_jacobian: of heat map positions and of Jacobians, under a distortion.
        scales: of the perceptual pyramid (each 1 over an integer).
        sigma_affine, sigma_tps, points_tps: the distortion's affine part, its bend, and its knots per row.
    """

    perceptual: float = 10.0
    generator_gan: float = 1.0
    discriminator_gan: float = 1.0
    feature_matching: float = 10.0
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage of a run.

    Attributes:
        name: for logs.
        steps: optimizer steps.
        rate: initial learning rate; a cosine lowers it to ``rate * final``.
        final: see ``rate``.
        train: the model's trainable parts.
        focus: how strongly pairs are drawn by importance (0 to 1).
        loss: the losses' weights (``live``).
    """

    name: str = "motion"
    steps: int = 3000
    rate: float = 5e-4
    final: float = 0.2
    train: tuple[str, ...] = ("encoder", "correction")
    focus: float = 0.5
    loss: LossConfig = field(default_factory=LossConfig)


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """The optimizer (AdamW without decay) and its stabilisation.

    Attributes:
        betas: of Adam.
        warm_up: steps over which a stage's learning rate rises.
        clip: largest gradient norm.
        ema: decay of the weights' moving average, which is shipped.
        filter_rate: factor on the learning rate of standardised filters (``live``).  Their entries are
            about 1, whatever the fan-in, while those of plain convolutions are about 0.03: at the same rate
            they turn more slowly.  Over the first 60 steps, the flow error fell twice as far at 6 and 15 as
            at 1; at 15 and a learning rate of 9e-3 that was too much.
    """

    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: int = 100
    clip: float = 1.0
    ema: float = 0.998
    filter_rate: float = 6.0


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Location and environment of a run.

    Attributes:
        output: the run's folder: checkpoints, logs, samples.
        start: ``.safetensors`` weights to start from, of the same preset, or for ``live`` a folder written
            by ``export`` (``engine/assets``: the shipped weights); empty for none.
        perceptual: file with the weights of torchvision's ``vgg19`` for the perceptual losses; empty for
            EfficientNet-Lite0.
        seed: of weights, order and augmentation.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
        accelerator, devices, nodes: as in Lightning Fabric.
        threads: CPU threads (0: torch's default).
        checkpoint_minutes: time between checkpoints.
        validate_every, log_every: steps.
        validation_pairs: number of pairs in a validation.
    """

    output: str = "run"
    start: str = ""
    perceptual: str = ""
    seed: int = 4
    precision: str = "bf16-mixed"
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    threads: int = 0
    checkpoint_minutes: float = 4.0
    validate_every: int = 500
    log_every: int = 20
    validation_pairs: int = 48


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The whole configuration of a run.

    Attributes:
        preset: ``live`` or ``paper``.
        model: shape of the ``live`` model.
        paper, paper_loss: shape of the ``paper`` model, and its losses.
        discriminator: shape of the discriminator, of both presets.
    """

    preset: str = "live"
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: LiveConfig = field(default_factory=LiveConfig)
    paper: PaperConfig = field(default_factory=PaperConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    paper_loss: PaperLossConfig = field(default_factory=PaperLossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    stages: tuple[StageConfig, ...] = field(default_factory=lambda: (StageConfig(),))

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def load_config(path: Path | None, changes: Sequence[str] = ()) -> FitConfig:
    """Read a TOML file (None: the defaults) and apply ``a.b=c`` changes (values in TOML's notation).

    Raises:
        UsageError: unreadable file, unknown name, or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot read: {error.strerror or error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: not TOML: {error}") from error
    for change in changes:
        _change(values, change)
    return build(FitConfig, values, "")


def _change(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"--set {change}: write it as name=value, such as optim.ema=0.999.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = name.strip().split(".")
    place: Any = values
    for key in path:
        if isinstance(place, list):
            if not key.isdigit() or int(key) >= len(place):
                raise UsageError(f"--set {change}: entry {key} does not exist; there are {len(place)}.")
            place = place[int(key)]
        else:
            place = place.setdefault(key, {})
    if not isinstance(place, dict):
        raise UsageError(f"--set {change}: {name} is not a single value.")
    place[last] = value


def build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from plain values, checking them.

    Raises:
        UsageError: unknown name or a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise UsageError(f"configuration: {where}{name} is unknown; known: {', '.join(known)}.")
    return kind(**{name: _value(hints[name], value, f"{where}{name}") for name, value in values.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return build(typing.cast(type[Any], kind), value, f"{where}.")
    origin = typing.get_origin(kind)
    if origin is tuple and isinstance(value, list | tuple):
        args = typing.get_args(kind)
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise UsageError(f"configuration: {where} needs {len(kinds)} values, not {len(value)}.")
        return tuple(_value(k, v, f"{where}.{i}") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (bool, int, str) and type(value) is kind:
        return value
    wanted = getattr(kind, "__name__", str(kind))
    raise UsageError(f"configuration: {where} must be {wanted}, not {value!r}.")
