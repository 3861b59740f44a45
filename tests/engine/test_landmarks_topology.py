"""The index groups are where their names say, and the mirror is an involution."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.landmarks import canonical_mesh
from mien.engine.landmarks import topology as t

PAIRS = [
    (t.RIGHT_EYE, t.LEFT_EYE),
    (t.RIGHT_EYE_UPPER, t.LEFT_EYE_UPPER),
    (t.RIGHT_EYE_LOWER, t.LEFT_EYE_LOWER),
    (t.RIGHT_EYEBROW_UPPER, t.LEFT_EYEBROW_UPPER),
    (t.RIGHT_EYEBROW_LOWER, t.LEFT_EYEBROW_LOWER),
    (t.RIGHT_NOSE_WING, t.LEFT_NOSE_WING),
]


def test_flip_is_an_involution() -> None:
    assert sorted(t.FLIP) == list(range(478))
    assert np.array_equal(t.FLIP[t.FLIP], np.arange(478))


def test_flip_mirrors_the_canonical_mesh() -> None:
    mesh = canonical_mesh()
    assert np.allclose(mesh[t.FLIP[:468]] * (-1, 1, 1), mesh, atol=0.05)  # cm


@pytest.mark.parametrize(("right", "left"), PAIRS)
def test_left_mirrors_right(right: tuple[int, ...], left: tuple[int, ...]) -> None:
    assert tuple(t.FLIP[list(right)]) == left
    mesh = canonical_mesh()
    assert mesh[list(right), 0].max() < 0 < mesh[list(left), 0].min(), "the right side is at smaller x"


@pytest.mark.parametrize("group", [t.FACE_OVAL, t.LIPS_OUTER, t.LIPS_INNER, t.RIGHT_EYE, t.LEFT_EYE])
def test_rings(group: tuple[int, ...]) -> None:
    assert len(set(group)) == len(group)
    mesh = canonical_mesh()[list(group)]
    steps = np.linalg.norm(mesh - np.roll(mesh, 1, axis=0), axis=1)
    assert steps.max() < 3, "neighbours in a ring are near (cm)"


@pytest.mark.parametrize("group", [t.FACE_OVAL, t.LIPS_OUTER, t.LIPS_INNER, t.NOSE, t.MOUTH_CORNERS])
def test_whole_groups_are_symmetric(group: tuple[int, ...]) -> None:
    assert set(t.FLIP[list(group)]) == set(group)


def test_middle_line() -> None:
    middle = [*t.NOSE_BRIDGE, t.NOSE_TIP, *t.NOSE_UNDERSIDE, t.CHIN, t.FOREHEAD_TOP]
    assert np.array_equal(t.FLIP[middle], middle)
    heights = canonical_mesh()[list(t.NOSE_BRIDGE), 1]
    assert (np.diff(heights) < 0).all(), "the bridge goes down"


def test_lids_and_lips_are_the_right_way_up() -> None:
    mesh = canonical_mesh()
    for upper, lower in [
        (t.RIGHT_EYE_UPPER, t.RIGHT_EYE_LOWER),
        (t.LEFT_EYE_UPPER, t.LEFT_EYE_LOWER),
        (t.LIPS_UPPER_OUTER, t.LIPS_LOWER_OUTER),
        (t.LIPS_UPPER_INNER, t.LIPS_LOWER_INNER),
        (t.RIGHT_EYEBROW_UPPER, t.RIGHT_EYEBROW_LOWER),
    ]:
        assert mesh[list(upper), 1].mean() > mesh[list(lower), 1].mean()
    assert mesh[t.FOREHEAD_TOP, 1] > mesh[t.CHIN, 1]


def test_triangles() -> None:
    assert t.TRIANGLES.shape == (898, 3)
    assert set(t.TRIANGLES.ravel()) == set(range(468))
    mirrored = {frozenset(triangle) for triangle in t.FLIP[t.TRIANGLES].tolist()}
    same = mirrored & {frozenset(triangle) for triangle in t.TRIANGLES.tolist()}
    assert len(same) > 0.9 * len(mirrored)


def test_blendshapes() -> None:
    assert len(t.BLENDSHAPE_NAMES) == len(set(t.BLENDSHAPE_NAMES)) == 52
    assert t.BLENDSHAPE_NAMES[0] == "_neutral"
    assert t.BLENDSHAPE_NAMES[25] == "jawOpen"
    assert t.BLENDSHAPE_NAMES[51] == "noseSneerRight"
    assert t.BLENDSHAPE_POINTS.shape == (146,)


def test_iris_edges_are_where_documented() -> None:
    skimage = pytest.importorskip("skimage.data")
    from mien.engine.landmarks import make_landmarker

    with make_landmarker() as landmarker:
        (face,) = landmarker.detect(np.asarray(skimage.astronaut()))
    for iris in (t.RIGHT_IRIS, t.LEFT_IRIS):
        centre, large_x, top, small_x, bottom = face.landmarks[list(iris), :2]
        assert large_x[0] > centre[0] + 2
        assert small_x[0] < centre[0] - 2
        assert top[1] < centre[1] - 2
        assert bottom[1] > centre[1] + 2
    assert face.landmarks[t.RIGHT_IRIS[0], 0] < face.landmarks[t.LEFT_IRIS[0], 0]
