"""A run shows the updates it left out: weights that do not move must not look like training."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
fabric_module = pytest.importorskip("lightning_fabric")

from rich.console import Console  # noqa: E402

from mien.train.config import FitConfig  # noqa: E402
from mien.train.fit import Fit  # noqa: E402
from mien.train.monitor import Monitor  # noqa: E402


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    config = FitConfig()
    config = replace(config, run=replace(config.run, log_every=1))
    return Monitor(tmp_path, config, Console(file=io.StringIO()), active=True)


def log_of(monitor: Monitor, folder: Path, steps: range) -> list[str]:
    with monitor.progress(10, 0) as report:
        for step in steps:
            report(step, "warp", {"total": torch.tensor(0.5)})
    return (folder / "log.txt").read_text(encoding="utf-8").splitlines()


def test_a_healthy_run_says_nothing_of_skipped_updates(monitor: Monitor, tmp_path: Path) -> None:
    assert not any("skipped" in line for line in log_of(monitor, tmp_path, range(1, 3)))


def test_an_update_whose_gradient_is_not_finite_is_left_out_and_shown(
    monitor: Monitor, tmp_path: Path
) -> None:
    fabric = fabric_module.Fabric(accelerator="cpu", devices=1)
    layer = torch.nn.Linear(2, 1)
    objective, optimizer = fabric.setup(layer, torch.optim.SGD(layer.parameters(), lr=1.0))
    before = layer.weight.detach().clone()
    fit = SimpleNamespace(fabric=fabric, config=FitConfig(), monitor=monitor)
    for value in (torch.inf, torch.nan, torch.inf):
        Fit._descend(fit, objective, optimizer, objective(torch.full((1, 2), value)).sum(), 0.1)
    assert torch.equal(layer.weight, before)
    assert monitor.skipped == 3
    assert log_of(monitor, tmp_path, range(1, 2))[0].endswith("3 updates skipped (gradient not finite)")
