"""Learning how far hair, neck and shoulders follow a head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.engine.mesh.following import INSIDE, KNOWN, USUAL, read_following, usual_shares  # noqa: E402
from mien.train.data.heads import HeadSample  # noqa: E402
from mien.train.following import FollowingNet, fit_following, measured  # noqa: E402

NODES = 33 * 33


def samples_with(shares: tuple[float, float, float], seed: int, count: int = 6) -> list[HeadSample]:
    """Pairs in which all beyond the face follows by the same known shares."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        known = rng.uniform(-1, 1, (NODES, len(KNOWN))).astype(np.float32)
        known[:, USUAL] = rng.uniform(0, 1, NODES)
        parts = rng.normal(0, 0.1, (3, NODES, 2)).astype(np.float32)
        moved = np.einsum("s,sgc->gc", np.array(shares, np.float32), parts)
        found.append(HeadSample(known, parts, moved, known[:, INSIDE] < -0.3))
    return found


def test_it_begins_with_the_usual_shares() -> None:
    known = samples_with((1, 1, 1), 0, 1)[0].known
    with torch.no_grad():
        shares = FollowingNet()(torch.from_numpy(known)).numpy()
    np.testing.assert_allclose(shares, usual_shares(known[:, USUAL]), atol=1e-6)


def test_known_shares_are_learned_and_the_engine_reads_them(tmp_path: Path) -> None:
    wanted = (0.8, 0.5, 0.2)
    net = fit_following([samples_with(wanted, seed) for seed in range(4)], 120)
    unseen = samples_with(wanted, 9)
    found = measured(net, unseen)
    assert found.learned < 0.35 * found.usual < found.still
    net.save(tmp_path / "following.npz")
    known = unseen[0].known
    with torch.no_grad():
        trained = net(torch.from_numpy(known)).numpy()
    np.testing.assert_allclose(read_following(tmp_path / "following.npz").shares(known), trained, atol=1e-5)
