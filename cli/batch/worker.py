"""Worker that makes one pair after another: track, render, compare, report, publish."""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from platform import python_version
from tempfile import mkdtemp
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.cli.batch.arguments import GenerateOptions
from mien.cli.batch.face_window import View
from mien.cli.batch.metrics import Measured, measure, measure_recorded, torn_share
from mien.cli.batch.pairs import Pair
from mien.cli.batch.report.curves import Courses
from mien.cli.batch.report.pair import Clip, pair_section
from mien.cli.batch.resume import HIDDEN, mien_version, results_of, with_settings
from mien.cli.batch.tracking import Followed, follow, phases_of
from mien.cli.build import (
    load_avatar,
    make_animator,
    make_runtime,
    portrait_landmarker,
    tracker_settings,
    wants_credentials,
    wants_opacity,
)
from mien.cli.options.arguments import Options
from mien.engine.avatar import Avatar
from mien.engine.avatar.crop import Square
from mien.engine.face.geometry import FaceGeometry
from mien.engine.motion.phases import Phases
from mien.engine.motion.recording import save_recording
from mien.engine.mouth.mode import OWN, PAINTED, MouthMode
from mien.engine.presets import preset_of
from mien.engine.types import Face, Image
from mien.engine.utils.versions import installed_version
from mien.streams.factory import open_sink

KEPT_AVATARS = 4
_LIBRARIES = ("numpy", "openvino", "av")


@dataclass
class _Result:
    """Images of the avatar for the frames that are measured."""

    images: list[Image] = field(default_factory=list)
    face: Face | None = None


class Worker:
    """One process's resources for all its pairs: runtime, tracker and the last portraits are loaded once.

    Args:
        options: options of the batch.
        scratch: folder, on the results' disk, where unfinished results lie.
    """

    def __init__(self, options: GenerateOptions, scratch: Path) -> None:
        self._options = options
        self._engine = options.engine
        self._scratch = scratch
        # OpenCV would take all cores in every process.
        cv2.setNumThreads(options.threads)
        self._runtime = make_runtime(options.engine)
        self._landmarker = portrait_landmarker()
        self._preset = preset_of(self._runtime)
        self._tracker = self._preset.make_tracker(self._runtime, tracker_settings(options.engine), None)
        self._avatars: OrderedDict[tuple[Path, str], Avatar] = OrderedDict()

    def close(self) -> None:
        self._landmarker.close()
        self._tracker.close()
        self._runtime.close()

    def make(self, pair: Pair, request: dict[str, Any]) -> dict[str, Any]:
        """Make a pair and publish its results; returns the marker, which records the ``request``.

        Raises:
            MienError: why it cannot be made, in one line.
        """
        begun = perf_counter()
        options = with_settings(pair, self._engine)
        self._tracker.settings = replace(self._tracker.settings, mouth=options.mouth == OWN)
        avatar = self._avatar(pair.avatar, options)
        found = follow(pair, self._engine, self._tracker, self._preset)
        # A folder of its own for each attempt: a process that died may have left one.
        folder = Path(mkdtemp(dir=self._scratch))
        (folder / HIDDEN).mkdir()
        places = results_of(folder, pair.name, self._engine.lossless)
        try:
            result = self._render(pair, avatar, found, places["video"], options)
            save_recording(places["motion"], found.recording())
            marker, section = self._measured(pair, found, result, avatar, request)
            marker["seconds"] = round(perf_counter() - begun, 2)
            places["report"].write_text(section, "utf-8")
            places["marker"].write_text(json.dumps(marker, indent=1, ensure_ascii=False), "utf-8")
            self._publish(pair, places)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return marker

    def _avatar(self, path: Path, options: Options) -> Avatar:
        """The portrait before the background that the options name."""
        wanted = path, options.background
        avatar = self._avatars.pop(wanted, None)
        if avatar is None:
            avatar = load_avatar(path, options, self._landmarker, self._runtime)
        self._avatars[wanted] = avatar
        if len(self._avatars) > KEPT_AVATARS:
            self._avatars.popitem(last=False)
        return avatar

    def _render(self, pair: Pair, avatar: Avatar, found: Followed, video: Path, options: Options) -> _Result:
        """Write the video, and keep the images to be measured."""
        animator = make_animator(options, avatar, self._runtime)
        result = _Result()
        view: View | None = None
        seen = set(found.seen)
        width, height = animator.size
        with open_sink(
            video,
            width=width,
            height=height,
            fps=found.fps,
            audio_from=pair.driving if found.sound else None,
            lossless=options.lossless,
            credentials=wants_credentials(options),
            opacity=wants_opacity(options),
        ) as sink:
            for index, (time, motion) in enumerate(zip(found.times, found.motions, strict=True)):
                image = animator.play(motion, time).image
                sink.write(image, time)
                if index in seen:
                    view = view or self._view(avatar, image)
                    result.images.append(view.cut(image[..., :3]))
        found.notes += sink.notes
        found.notes += _said_of_mouth(options.mouth, found, animator.renderer.mouth.note)
        faces = self._landmarker.detect(result.images[0])
        result.face = faces[0] if faces else None
        if found.face is None:
            found.unit = FaceGeometry.of(faces[0] if faces else avatar.face).unit
        return result

    def _view(self, avatar: Avatar, image: Image) -> View:
        whole = Square(0.0, 0.0, float(max(image.shape[:2])))
        return View.around(avatar.crop if self._engine.crop_side is None else whole, image)

    def _measured(
        self, pair: Pair, found: Followed, result: _Result, avatar: Avatar, request: dict[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """The marker and the section of the report."""
        phases, detected = phases_of(pair, found)
        measured = self._compared(found, result) if self._options.metrics else None
        if measured is not None:
            torn = torn_share(result.images, avatar.image, avatar.face, self._landmarker)
            measured = replace(measured, torn=torn)
        notes = [*avatar.notes, *found.notes]
        if self._options.metrics and measured is None:
            notes.append("Too few frames with a face to be measured.")
        marker = {
            "name": pair.name,
            "frames": len(found.motions),
            "fps": round(found.fps, 4),
            "reference": found.reference,
            "recorded": found.face is None,
            "mouth": PAINTED if found.face is None else request["options"]["mouth"],
            "face_pixels": round(found.unit, 2),
            "phases": _phase_numbers(phases, found, detected),
            "metrics": measured.row() if measured else None,
            "notes": notes,
            "files": [p.name for kind, p in self._places(pair).items() if kind in ("video", "motion")],
            "versions": {"Mien": mien_version(), "Python": python_version(), **_versions()},
            "request": request,
        }
        shown = Clip(result.images, result.face or avatar.face)
        driver = shown.still() if found.face is None else Clip(found.images, found.face)
        section = pair_section(
            marker,
            driver,
            shown,
            _courses(found, phases, measured),
            measured,
        )
        return marker, section

    def _compared(self, found: Followed, result: _Result) -> Measured | None:
        """Compare the result with its driver's images, or with the recorded motion."""
        if result.face is None:
            return None
        if found.face is not None:
            return measure(found.images, found.face, result.images, result.face)
        motions = [motion for i in found.seen if (motion := found.motions[i]) is not None]
        return measure_recorded(motions, result.images, result.face)

    def _places(self, pair: Pair) -> dict[str, Path]:
        return results_of(self._options.output, pair.name, self._engine.lossless)

    def _publish(self, pair: Pair, made: dict[str, Path]) -> None:
        """Move the results into place, the marker last: if interrupted, the pair counts as unfinished."""
        places = self._places(pair)
        places["marker"].unlink(missing_ok=True)
        for kind in ("video", "motion", "report", "marker"):
            made[kind].replace(places[kind])


def _said_of_mouth(mouth: MouthMode, found: Followed, painted: str | None) -> list[str]:
    """What the report says of a mouth that is, or was to be, the driver's own."""
    if mouth != OWN:
        return []
    if found.face is None:
        return ["Recorded motion holds no pixel of anyone, so the mouth is painted."]
    told = ["Between the portrait's lips is the driver's own mouth: the result carries some of their pixels."]
    return told if painted is None else [f"In the clip {painted}"]


def _courses(found: Followed, phases: Phases, measured: Measured | None) -> Courses:
    """Time courses to plot: measured on the images of both faces, or else taken from the tracker."""
    times = np.array([found.times[i] for i in found.seen], np.float32)
    if measured is not None:
        driver, result = measured.driver, measured.result
    else:
        driver = np.stack([m.regions for i in found.seen if (m := found.motions[i]) is not None])
        result = None
    seen = np.array(found.seen)
    onset, apex, offset = (
        int(np.argmin(np.abs(seen - f))) for f in (phases.onset, phases.apex, phases.offset)
    )
    where = "portrait" if found.face is None else "driver"
    return Courses(times, driver, result, Phases(onset, apex, offset), found.unit, where)


def _phase_numbers(phases: Phases, found: Followed, detected: tuple[str, ...]) -> dict[str, Any]:
    numbers: dict[str, Any] = {"detected": list(detected)}
    for name in ("onset", "apex", "offset"):
        frame = int(getattr(phases, name))
        numbers[name] = frame
        numbers[f"{name}_time"] = round(found.times[frame], 4)
    return numbers


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in _LIBRARIES}
    return {"OpenCV": cv2.__version__} | {name: number for name, number in found.items() if number}
