"""The portraits that ship for the page's gallery."""

from __future__ import annotations

import numpy as np
import pytest

from mien.cli.web.gallery import EXHIBITS, Exhibit
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.utils.assets import PORTRAIT
from mien.streams.images import load_image


def test_the_gallery_is_small_and_nothing_in_it_has_the_name_of_another() -> None:
    assert len({exhibit.name for exhibit in EXHIBITS}) == len(EXHIBITS) == 7
    assert EXHIBITS[0].path == PORTRAIT
    assert sum(exhibit.path.stat().st_size for exhibit in EXHIBITS) < 600_000


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.path.stem)
def test_each_can_be_animated(exhibit: Exhibit, landmarker: Landmarker, runtime: Runtime) -> None:
    image = load_image(exhibit.path, opacity=True)
    avatar = Avatar.of(image, landmarker, runtime, exhibit.name)
    assert max(image.shape) <= 512
    assert np.ptp(avatar.face.landmarks[:, 0]) > 85, "the width of the face in pixels"
    assert exhibit.credit.endswith("public domain")
