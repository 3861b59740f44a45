"""The driver's own mouth in the avatar's: known mouths, and a real clip."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import layout
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Gains, Motion
from mien.engine.mouth.gate import CLEAR, IN, OUT, Gate
from mien.engine.mouth.own_mouth import Lips, OwnMouth
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.mouth.view import INNER, OUTER, MouthView, brightest_of, skin_light, view_mouth
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats, Frame, Image
from mien.engine.utils.light import LUMINANCE, linear

FPS = 25
SKIN, LIPS, DARK = (200, 150, 125), (170, 85, 85), (40, 18, 18)


def face(gap: float, unit: float = 100.0, centre: tuple[float, float] = (128.0, 110.0)) -> Floats:
    """``(478, 2)`` landmarks of a face whose lips are ``gap`` face units apart in the middle."""
    points = np.zeros((478, 2), np.float32)
    points[:468] = layout().points - layout().points.mean(axis=0)
    lower, upper = list(topo.LIPS_LOWER_INNER), list(topo.LIPS_UPPER_INNER)
    shape = np.sin(np.linspace(0, np.pi, 11)).astype(np.float32)
    line = (points[lower] + points[upper]) / 2
    outer = points[list(topo.LIPS_LOWER_OUTER)] - points[lower]
    points[upper], points[lower] = line, line
    points[lower, 1] += gap * shape
    points[list(topo.LIPS_LOWER_OUTER)] = points[lower] + outer
    points[[152, 199, 200, 18], 1] += gap
    return points * np.float32(unit) + np.array(centre, np.float32)


def drawn(
    landmarks: Floats,
    skin: tuple[int, int, int] = SKIN,
    teeth: bool = True,
    throat: tuple[int, int, int] = DARK,
) -> Image:
    """An image of such a face, 256 x 256: skin, lips, and between them uneven teeth over a dark throat."""
    image = np.full((256, 256, 3), skin, np.uint8)
    mouth = np.full_like(image, throat)
    if teeth:
        middle = landmarks[13]
        for tooth in range(-3, 4):
            shade = 150 + 15 * ((tooth * 5) % 7)
            x = int(middle[0] + 9 * tooth)
            cv2.rectangle(mouth, (x, int(middle[1]) - 4), (x + 7, int(middle[1]) + 9), (shade,) * 3, -1)
    for ring, colour in ((OUTER, LIPS), (INNER, None)):
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(landmarks[ring] * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        over = mouth if colour is None else np.full_like(image, colour)
        share = mask[..., None] / 255
        image = np.asarray(image + share * (over.astype(float) - image) + 0.5, np.uint8)
    # Skin has not one colour.
    red, green = (np.linspace(0.92, 1.08, 256)[line] for line in (np.s_[None, :], np.s_[:, None]))
    image[..., 0] = np.clip(image[..., 0] * red, 0, 255)
    image[..., 1] = np.clip(image[..., 1] * green, 0, 255)
    return image


def seen(gap: float, skin: tuple[int, int, int] = SKIN, unit: float = 100.0) -> MouthView:
    landmarks = face(gap, unit)
    found = view_mouth(drawn(landmarks, skin), landmarks, unit, 1.0)
    assert found is not None
    return found


def lips_of(landmarks: Floats, unit: float = 100.0, own: float = 0.0) -> Lips:
    at = landmarks[INNER + OUTER] - np.float32(0.5)
    return Lips(at[:20], at[20:], mouth_gap(landmarks) / unit, own)


def share_between(ring: Floats, side: int = 256) -> Floats:
    """``(side, side)`` in 0..1: the share of each pixel within an outline of pixel indices."""
    mask = np.zeros((8 * side, 8 * side), np.uint8)
    cv2.fillPoly(mask, [np.round(((ring + 0.5) * 8 - 0.5) * 16).astype(np.int32)], 255, shift=4)
    return cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) / np.float32(255)


def between(landmarks: Floats, inset: int = 0) -> np.ndarray:
    """Where an image shows what is between the lips, pixels that their edge cuts among them."""
    mask = (share_between(landmarks[INNER] - np.float32(0.5)) > 0).astype(np.uint8)
    if inset:
        mask = cv2.erode(mask, np.ones((2 * inset + 1,) * 2, np.uint8))
    return mask > 0


def result(portrait: Image, landmarks: Floats, view: MouthView | None, wanted: bool = True) -> Image:
    own = OwnMouth(PortraitLook.of(portrait, landmarks, 100.0), wanted)
    image = portrait.copy()
    placed = own.place(view, 0.0, lips_of(landmarks))
    if placed is not None:
        own.draw(image, placed)
    return image


def grey(image: Image) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def test_the_drivers_teeth_are_between_the_avatars_lips() -> None:
    there = face(0.25, centre=(120.0, 118.0))
    image = result(drawn(there, (225, 180, 160), teeth=False), there, seen(0.25))
    moved = cv2.warpAffine(
        drawn(face(0.25)), np.array([[1, 0, -8], [0, 1, 8]], np.float32), (256, 256), flags=cv2.INTER_CUBIC
    )
    inside = between(there, 2)
    assert np.corrcoef(image[inside].ravel(), moved[inside].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("gap", [0.05, 0.15, 0.4])
def test_nothing_outside_the_lips_changes(gap: float) -> None:
    there = face(gap)
    before = drawn(there, teeth=False)
    change = np.abs(result(before, there, seen(0.3)).astype(int) - before)
    assert change[~between(there)].max() <= 1
    assert change[between(there)].max() > 20


def test_a_grey_portrait_stays_grey() -> None:
    there = face(0.25)
    image = result(grey(drawn(there, teeth=False)), there, seen(0.25))
    assert np.ptp(image, axis=2).max() == 0
    assert image[between(there, 2)].std() > 20


def test_a_sepia_portrait_keeps_its_tone() -> None:
    levels = np.arange(256, dtype=np.float32)
    tone = np.stack([levels + 60 * levels / 255 * (1 - levels / 255), levels, levels * 0.8], axis=1)
    there = face(0.25)
    sepia = np.asarray(tone + 0.5, np.uint8)[grey(drawn(there, teeth=False))[..., 0]]
    image = result(sepia, there, seen(0.25))[between(there, 2)].astype(int)
    apart = (
        np.abs(image[:, None] - np.asarray(tone + 0.5, np.uint8).astype(int)[None]).max(axis=2).min(axis=1)
    )
    assert np.quantile(apart, 0.99) <= 2


def test_paint_has_no_colour_in_a_grey_portrait() -> None:
    there = face(0.25)
    portrait = grey(drawn(there, teeth=False))
    own = OwnMouth(PortraitLook.of(portrait, there, 100.0), wanted=False)
    painted = portrait.copy()
    painted[between(there)] = (40, 120, 120)
    placed = own.place(None, 0.0, lips_of(there))
    assert placed is not None
    own.draw(painted, placed)
    assert np.ptp(painted, axis=2).max() == 0


def test_a_painted_mouth_in_a_colour_portrait_is_left_alone() -> None:
    there = face(0.25)
    portrait = drawn(there, teeth=False)
    own = OwnMouth(PortraitLook.of(portrait, there, 100.0), wanted=False)
    assert own.place(seen(0.25), 0.0, lips_of(there)) is None


def test_highlights_of_a_bright_portrait_are_kept() -> None:
    there = face(0.25)
    image = result(drawn(there, (252, 235, 225), teeth=False), there, seen(0.25, (140, 100, 85)))
    teeth = image[between(there, 3)][:, 1].astype(int)
    bright = teeth[teeth > 200]
    assert (bright == 255).mean() < 0.03
    assert len(np.unique(bright)) > 10


def test_teeth_beside_dark_skin_are_no_white_patches_in_a_pale_face() -> None:
    there = face(0.25)
    before = drawn(there, (225, 180, 160), teeth=False)
    brightest = []
    for skin in ((240, 205, 185), (105, 72, 60)):
        view = seen(0.25, skin)
        own = OwnMouth(PortraitLook.of(before, there, 100.0), wanted=True)
        for number in range(60):
            image = before.copy()
            placed = own.place(view, number / FPS, lips_of(there))
            assert placed is not None
        own.draw(image, placed)
        light = linear(image) @ LUMINANCE
        around = skin_light(before, there, 100.0) @ LUMINANCE
        brightest.append((brightest_of(view), float(np.quantile(light[between(there, 2)], 0.97) / around)))
    assert brightest[0][0] < 1.5 < 2.5 < brightest[1][0], "as the drivers' frames show them"
    assert brightest[1][1] < 1.6
    assert brightest[1][1] > 0.8 * brightest[0][1]


def test_light_is_the_portraits() -> None:
    there = face(0.25)
    dim, bright = (
        result(drawn(there, skin, teeth=False), there, seen(0.25))[between(there, 2)].mean()
        for skin in ((90, 65, 55), (225, 180, 160))
    )
    same = drawn(there)[between(there, 2)].mean()
    assert dim < 0.75 * same < same < bright


def test_lips_that_the_avatar_keeps_shut_show_nothing() -> None:
    there = face(0.0)
    before = drawn(there, teeth=False)
    assert np.abs(result(before, there, seen(0.3)).astype(int) - before).max() <= 1


def test_the_portraits_own_teeth_come_first() -> None:
    there = face(0.25)
    own = OwnMouth(PortraitLook.of(drawn(there), there, 100.0), wanted=True)
    assert own.place(seen(0.25), 0.0, lips_of(there, own=1.0)) is None


def test_the_portraits_teeth_and_the_drivers_mouth_are_never_mixed_for_long() -> None:
    there = face(0.25)
    own = OwnMouth(PortraitLook.of(drawn(there), there, 100.0), wanted=True)
    shares = []
    for number in range(60):
        seen_through = (0.85, 0.7, 0.85, 0.97, 0.85)[number // 12]
        placed = own.place(seen(0.25), number / 25, lips_of(there, own=seen_through))
        shares.append(0.0 if placed is None else placed.share)
    assert not any(shares[:12])
    assert min(shares[15:36]) == 1.0
    assert not any(shares[39:])
    assert max(abs(after - before) for before, after in pairwise(shares)) < 0.5


def test_the_mouth_comes_without_a_jump_as_it_opens() -> None:
    images = []
    first = face(0.0)
    own = OwnMouth(PortraitLook.of(drawn(first, teeth=False), first, 100.0), wanted=True)
    for number in range(60):
        there = face(0.004 * number)
        image = np.full((256, 256, 3), DARK, np.uint8)
        placed = own.place(seen(0.004 * number), number / FPS, lips_of(there))
        if placed is not None:
            own.draw(image, placed)
        images.append(image[between(face(0.24))].astype(float).mean())
    assert np.abs(np.diff(images)).max() < 0.12 * np.ptp(images)


def shares(views: list[MouthView | None]) -> list[float]:
    gate = Gate()
    return [gate(view, number / FPS) for number, view in enumerate(views)]


def covered(gap: float, colour: tuple[int, int, int]) -> MouthView:
    """The driver with something of this colour before the mouth."""
    landmarks = face(gap)
    image = drawn(landmarks)
    middle = landmarks[OUTER].mean(axis=0).astype(int)
    cv2.ellipse(image, (int(middle[0]), int(middle[1]) + 10), (50, 40), 0, 0, 360, colour, -1)
    found = view_mouth(image, landmarks, 100.0, 1.0)
    assert found is not None
    return found


@pytest.mark.parametrize("colour", [(185, 135, 112), (20, 20, 22)], ids=["hand", "microphone"])
def test_what_covers_the_mouth_fades_it_out_and_in(colour: tuple[int, int, int]) -> None:
    clear = [seen(gap) for gap in (0.1, 0.2, 0.3, 0.2)]
    before, during, after = 50, 20, 30
    views: list[MouthView | None] = [clear[i % 4] for i in range(before)]
    views += [covered(0.2, colour)] * during + [clear[i % 4] for i in range(after)]
    found = shares(views)
    assert min(found[:before]) == 1.0
    assert max(found[before + round((OUT + 0.1) * FPS) + 1 : before + during]) == 0.0
    assert found[before + during + 2] == 0.0
    assert found[round(before + during + (CLEAR + IN) * FPS) + 2] == 1.0
    assert max(abs(b - a) for a, b in pairwise(found)) < 0.7


def test_black_hair_around_a_mouth_that_begins_to_glint_covers_nothing() -> None:
    """Between hairs light goes from a thousandth to three hundredths, and its logarithm jumps."""
    clear, views = seen(0.2), list[MouthView | None]()
    for light in [0.001] * 30 + [0.03] * 30:
        places = clear.places.copy()
        places[10:] = light
        views.append(replace(clear, places=places))
    assert min(shares(views)) == 1.0


def test_a_mouth_that_is_lost_or_unsure_is_painted() -> None:
    view = seen(0.2)
    unsure = [replace(view, confidence=0.3)] * 8
    cut = [replace(view, inside=-0.1)] * 8
    for wrong in (unsure, cut, [None] * 8):
        found = shares([view] * 10 + [*wrong])
        assert found[9] == 1.0
        assert found[-1] == 0.0


@pytest.mark.parametrize(("unit", "shown"), [(20.0, False), (60.0, True)])
def test_from_24_pixels_on_the_drivers_mouth_is_shown(unit: float, shown: bool) -> None:
    view = seen(0.2, unit=unit)
    assert (view.width > 24) == shown
    there = face(0.2)
    own = OwnMouth(PortraitLook.of(drawn(there, teeth=False), there, 100.0), wanted=True)
    placed = [own.place(view, number / FPS, lips_of(there)) for number in range(2 * FPS)]
    assert all((one is not None) == shown for one in placed)
    assert (own.note is None) == shown
    if not shown:
        assert own.note is not None and f"{view.width:.0f} pixels" in own.note


def test_a_mouth_in_the_dark_is_painted_and_it_is_said() -> None:
    there = face(0.2)
    own = OwnMouth(PortraitLook.of(drawn(there, teeth=False), there, 100.0), wanted=True)
    view = seen(0.2, skin=(12, 9, 8))
    assert all(own.place(view, number / FPS, lips_of(there)) is None for number in range(2 * FPS))
    assert own.note is not None and "dark" in own.note


def test_a_flickering_lamp_does_not_flicker_in_the_avatars_mouth() -> None:
    there = face(0.25)
    before = drawn(there, teeth=False)
    own = OwnMouth(PortraitLook.of(before, there, 100.0), wanted=True)
    steady, matrices = seen(0.25), []
    for number in range(50):
        flicker = replace(steady, skin=steady.skin * np.float32(1.1 if number % 2 else 0.9))
        placed = own.place(flicker, number / FPS, lips_of(there))
        assert placed is not None
        matrices.append(placed.matrix[1, 1])
    assert np.abs(np.diff(matrices[5:])).max() < 0.02 * matrices[-1]


def test_a_mouth_stays_as_bright_as_the_face_when_the_light_on_both_changes() -> None:
    there = face(0.25)
    before = drawn(there, teeth=False)
    steady, factor, drawn_with = seen(0.25), np.float32(1.2), []
    dimmer = replace(steady, skin=steady.skin / factor, places=steady.places / factor)
    for light in (1.0, 1.0 / float(factor)):
        own = OwnMouth(PortraitLook.of(before, there, 100.0), wanted=True)
        for number in range(5 * FPS):
            view = steady if number < FPS else dimmer
            placed = own.place(view, number / FPS, lips_of(there), None, 1.0 if number < FPS else light)
        assert placed is not None
        drawn_with.append(placed.matrix[1, 1])
    brightened, kept = drawn_with
    assert brightened == pytest.approx(float(factor) * kept, rel=0.03)


def talking(carphone: Path, count: int = 40) -> list[Frame]:
    """A real talking head, enlarged: its mouth is 18 pixels wide in the file."""
    images = read_clip(carphone, count)
    return [
        Frame(np.asarray(cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)), i, 0, i / 30)
        for i, image in enumerate(images)
    ]


def test_a_real_driver_changes_the_avatar_between_its_lips_alone(
    carphone: Path, avatar: Avatar, runtime: Runtime
) -> None:
    with (
        Animator(avatar, runtime=runtime, mouth="own") as own,
        Animator(avatar, runtime=runtime, mouth="painted") as painted,
    ):
        most = 0
        for frame in talking(carphone):
            motion = own.tracker.track(frame)
            assert motion is not None and motion.mouth is not None
            motion = replace(motion, light=None, shading=None)  # light is elsewhere, too
            change = np.abs(
                own.session.play(frame, motion).image.astype(int) - painted.session.play(frame, motion).image
            )
            most = max(most, int(change.max()))
            rows, columns = np.nonzero(change.max(axis=2) > 1)
            if len(rows):
                lips = avatar.geometry.points[OUTER]
                reach = 0.3 * avatar.geometry.unit
                assert lips[:, 0].min() - reach < columns.min() and columns.max() < lips[:, 0].max() + reach
                assert lips[:, 1].min() - reach < rows.min() and rows.max() < lips[:, 1].max() + reach
        assert painted.mouth == "painted"


def test_expression_0_leaves_the_avatars_mouth_as_it_is(
    carphone: Path, avatar: Avatar, runtime: Runtime
) -> None:
    gains = Gains(expression=0.0)
    with (
        Animator(avatar, runtime=runtime, gains=gains, mouth="own") as own,
        Animator(avatar, runtime=runtime, gains=gains, mouth="painted") as painted,
    ):
        for frame in talking(carphone, 12):
            motion = own.tracker.track(frame)
            images = [animator.session.play(frame, motion).image for animator in (own, painted)]
            np.testing.assert_array_equal(*images)


def test_recorded_motion_has_no_pixels_and_is_painted(avatar: Avatar, runtime: Runtime) -> None:
    with (
        Animator(avatar, runtime=runtime, mouth="own") as own,
        Animator(avatar, runtime=runtime, mouth="painted") as painted,
    ):
        for number in range(5):
            motion = Motion.neutral(number, number / FPS)
            motion.points[list(topo.LIPS_LOWER_INNER[1:-1]), 1] += 0.04 * number
            images = [animator.play(motion).image for animator in (own, painted)]
            np.testing.assert_array_equal(*images)


def test_a_drawing_is_told_from_a_photograph(astronaut: Image, avatar: Avatar) -> None:
    points = avatar.geometry.points
    assert not PortraitLook.of(astronaut, points, avatar.geometry.unit).drawn
    lines = np.full_like(astronaut, 250)
    for ring in (topo.FACE_OVAL, topo.RIGHT_EYE, topo.LEFT_EYE, topo.LIPS_OUTER, topo.NOSE_BRIDGE):
        cv2.polylines(lines, [points[list(ring)].astype(np.int32)], True, (30, 30, 30), 2, cv2.LINE_AA)
    assert PortraitLook.of(lines, points, avatar.geometry.unit).drawn


def test_what_is_painted_in_colours_that_no_skin_has_is_a_drawing(astronaut: Image, avatar: Avatar) -> None:
    landmarks, unit = avatar.face.landmarks[:, :2], 150.0
    green = np.ascontiguousarray(astronaut[..., [1, 0, 2]])
    assert PortraitLook.of(green, landmarks, unit).drawn
    assert not PortraitLook.of(grey(astronaut), landmarks, unit).drawn, "a grey photo is a photo"


def test_a_figure_of_clay_keeps_its_one_hue(astronaut: Image, avatar: Avatar) -> None:
    landmarks, unit = avatar.face.landmarks[:, :2], 150.0
    light = grey(astronaut)[..., 0].astype(np.float32)
    # What lies in folds of clay is redder: no single tone, and no skin with lips either.
    redder = 8 * np.sin(np.arange(light.size).reshape(light.shape) / 7)
    clay = np.stack([light + 25 + redder, 0.75 * light, 0.5 * light], axis=2)
    look = PortraitLook.of(np.asarray(np.clip(clay, 0, 255), np.uint8), landmarks, unit)
    assert look.tone is not None
    assert PortraitLook.of(astronaut, landmarks, unit).tone is None


def opened(avatar: Avatar, view: MouthView | None, number: int = 0) -> Motion:
    motion = replace(Motion.neutral(number, number / FPS), mouth=view)
    motion.points[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] += 0.5
    return motion


def lips_shut(avatar: Avatar) -> Avatar:
    """The same, as if no teeth were seen in the portrait: what opens has to be painted."""
    return replace(avatar, cavity=replace(avatar.cavity, gap=0.0))


def darker_than_both_sides(image: Image, ring: Floats) -> Floats:
    """How much darker pixels on an outline are than both the lips beside it and the mouth inside it."""
    share, grey = share_between(ring), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(share, (0, 0), 0.7)
    inwards = np.stack([cv2.Sobel(soft, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1))], axis=2)
    inwards /= np.maximum(np.linalg.norm(inwards, axis=2, keepdims=True), 1e-6)
    rows, columns = np.nonzero((share > 0.05) & (share < 1))

    def at(plane: Floats, away: float) -> Floats:
        place = np.stack([columns, rows], axis=1) + away * inwards[rows, columns]
        return np.asarray(cv2.remap(plane, place[None].astype(np.float32), None, cv2.INTER_LINEAR)[0])

    low, high = ring[:, 0].min(), ring[:, 0].max()
    middle = np.abs(columns - (low + high) / 2) < 0.3 * (high - low)
    wide = at(share, 2.5) > 0.98
    return np.asarray(np.minimum(at(grey, 2.5), at(grey, -2.5)) - grey[rows, columns])[wide & middle]


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.35])
def test_lips_around_a_bright_mouth_have_no_dark_outline(
    close_up: Image, landmarker: Landmarker, runtime: Runtime, gap: float
) -> None:
    """On a photograph of 256 pixels, whose lips' edge cuts every pixel that it passes through."""
    portrait = lips_shut(Avatar.of(close_up, landmarker, runtime))
    renderer = Renderer(portrait, runtime)
    renderer.mouth.own = True
    landmarks = face(0.3)
    tongue = view_mouth(drawn(landmarks, teeth=False, throat=(200, 120, 115)), landmarks, 100.0, 1.0)
    motion = replace(Motion.neutral(), mouth=tongue)
    motion.points[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] += gap
    canvas = renderer._canvas
    ring = canvas.placed(carry_over(motion, portrait).mesh.vertices[INNER]) - np.array(canvas.corner)
    darker = darker_than_both_sides(renderer.render(motion).image, ring)
    assert len(darker) > 30
    assert np.quantile(darker, 0.9) < 25, "her upper lip's own shadow has some"
    assert darker.max() < 45


def test_the_network_rests_where_the_drivers_own_mouth_hides_its_paint(
    avatar: Avatar, whole_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = Renderer(lips_shut(avatar), whole_runtime)
    asked = []
    render = renderer._draws.render
    monkeypatch.setattr(renderer._draws, "render", lambda *given: asked.append(1) or render(*given))
    renderer.render(opened(avatar, seen(0.25)))
    assert len(asked) == 1, "painted"
    renderer.mouth.own = True
    renderer.render(opened(avatar, seen(0.25)))
    assert len(asked) == 1, "the driver's"
    renderer.render(opened(avatar, None, 20))
    assert len(asked) == 2, "painted again, as the driver is not seen"


def test_the_network_rests_where_the_portrait_shows_teeth_of_its_own(
    avatar: Avatar, whole_runtime: Runtime
) -> None:
    """Of teeth that are there it makes whorls: they hang from the upper lip, before a dark hollow."""
    painted = Renderer(avatar, whole_runtime)
    plain = Renderer(avatar, whole_runtime)
    plain.mouth._mouth.look = replace(plain.mouth._mouth.look, drawn=True)
    motion = opened(avatar, None)
    np.testing.assert_array_equal(painted.render(motion).image, plain.render(motion).image)
    assert painted.mouth.unpainted


def test_a_drawings_mouth_stays_a_dark_hollow(avatar: Avatar, whole_runtime: Runtime) -> None:
    renderer = Renderer(lips_shut(avatar), whole_runtime)
    painted = renderer.render(opened(avatar, None)).image
    renderer.mouth._mouth.look = replace(renderer.mouth._mouth.look, drawn=True)
    plain = renderer.render(opened(avatar, None)).image
    changed = np.abs(plain.astype(int) - painted).max(axis=2) > 8
    assert changed.sum() > 50
    assert plain[changed].mean() < painted[changed].mean()


def test_teeth_stay_still_although_the_landmarks_tremble() -> None:
    noise = np.random.default_rng(3)
    there = face(0.25)
    before = drawn(there, teeth=False)
    own = OwnMouth(PortraitLook.of(before, there, 100.0), wanted=True)
    image, landmarks = drawn(face(0.25)), face(0.25)
    inside, images = between(there, 4), []
    for number in range(30):
        trembling = landmarks + noise.normal(0, 0.4, landmarks.shape).astype(np.float32)
        view = view_mouth(image, trembling, 100.0, 1.0)
        placed = own.place(view, number / FPS, lips_of(there))
        assert placed is not None
        shown = before.copy()
        own.draw(shown, placed)
        images.append(shown[inside].astype(float))
    change = np.abs(np.diff(images[5:], axis=0)).mean()
    assert change < 0.06 * images[-1].std()


def test_thin_lips_do_not_press_the_drivers_lips_into_the_mouth() -> None:
    there = face(0.25)
    there[OUTER] = there[INNER] + 0.1 * (there[OUTER] - there[INNER])
    image = result(drawn(there, teeth=False), there, seen(0.25))
    inside, driver = between(there, 2), drawn(face(0.25))
    assert np.corrcoef(image[inside].ravel(), driver[inside].ravel())[0, 1] > 0.95
