"""A window that shows the avatar."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.engine.types import Image, SinkError
from mien.engine.utils.images import over_checks
from mien.streams.opencv import load_cv2, windows_would_hang
from mien.streams.sink import Sink

HELP_KEY = ord("?")
HEADLESS_REMEDY = (
    "This OpenCV has no windows (a headless build). Use --output FILE, or run `pip uninstall "
    "opencv-python-headless opencv-contrib-python-headless` and then "
    "`pip install --force-reinstall opencv-contrib-python`."
)
HANG = (
    "The preview window would freeze, because PyAV was imported before OpenCV in this process. "
    "Put `import cv2` before `import av` (or aiortc)."
)


def check_display(system: str = sys.platform, environment: Mapping[str, str] = os.environ) -> None:
    """Raise :class:`MienError` where no window can open.

    Without a display, Qt inside ``cv2.namedWindow`` ends the whole process instead of raising an error.
    """
    if system.startswith("linux") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise SinkError(
            "There is no display here, so no preview window can open. "
            "Use --output FILE, or log in to a desktop."
        )


class PreviewSink(Sink):
    """Shows frames in a window. All calls belong to one thread, on macOS the main one.

    Args:
        title: of the window.
        mirror: show the view mirrored, as in a mirror; the frames themselves stay as they are.
        help_lines: what ``?`` shows over the frame.

    Attributes:
        closed: True once the user has closed the window.
        last_key: the key pressed during the last frame, or None.

    Raises:
        MienError: no display, an OpenCV without windows, or one that PyAV has blocked.
    """

    def __init__(self, title: str = "Mien", *, mirror: bool = False, help_lines: Sequence[str] = ()) -> None:
        check_display()
        if windows_would_hang():
            raise SinkError(HANG)
        cv2 = load_cv2()
        self.notes = []
        self.mirror = mirror
        self.status = ""
        self.closed = False
        self.last_key: int | None = None
        self._title = title
        self._help_lines = tuple(help_lines)
        self._help_shown = False
        self._cv2: Any = cv2
        self._shown = False
        try:
            # GUI_NORMAL: no toolbar and status bar of Qt, whose missing fonts it complains about on stderr.
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise SinkError(HEADLESS_REMEDY) from error

    def show(self, image: Image) -> int | None:
        """Show an ``(H, W, 3) uint8`` RGB image (or RGBA, over grey checks) with ``self.status`` below it.

        Returns:
            the key pressed meanwhile (``ord("q")``, 27, ...), else None; ``?`` switches the help.
        """
        if self.closed:
            return None
        seen = over_checks(image) if image.shape[2] == 4 else image
        view = draw_overlay(
            seen, mirror=self.mirror, status=self.status, lines=self._help_lines if self._help_shown else ()
        )
        if not self._shown:
            self._cv2.resizeWindow(self._title, view.shape[1], view.shape[0])
        self._cv2.imshow(self._title, self._cv2.cvtColor(view, self._cv2.COLOR_RGB2BGR))
        self._shown = True
        return self.poll()

    def poll(self) -> int | None:
        """The key pressed meanwhile, as :meth:`show`, while there is no new frame."""
        if self.closed:
            return None
        key = self._cv2.waitKey(1)
        # Asked after waitKey, which is where the click on the window's cross is processed.
        self.closed = self._shown and not self._visible()
        self.last_key = None if key < 0 else key & 0xFF
        if self.last_key == HELP_KEY:
            self._help_shown = not self._help_shown
        return self.last_key

    def _visible(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1)
        except self._cv2.error:
            # Qt takes its window system down with the last window and then refuses the question.
            return False

    def write(self, image: Image, time: float) -> None:
        """Show a frame; its time does not matter here."""
        self.show(image)

    def close(self) -> None:
        """Close the window."""
        if not self.closed:
            self.closed = True
            self._cv2.destroyWindow(self._title)
            self._cv2.waitKey(1)

    def abort(self) -> None:
        """Close the window."""
        self.close()


def draw_overlay(image: Image, *, mirror: bool = False, status: str = "", lines: Sequence[str] = ()) -> Image:
    """A copy of ``(H, W, 3) uint8`` RGB, mirrored if asked, with text that is readable on any ground.

    The text itself is not mirrored.
    """
    view: Image = np.ascontiguousarray(image[:, ::-1]) if mirror else image.copy()
    unit = max(0.35, min(view.shape[:2]) / 800)
    step = round(36 * unit)
    for row, line in enumerate(lines):
        _text(view, line, (step // 2, step * (row + 1)), unit)
    if status:
        _text(view, status, (step // 2, view.shape[0] - step // 2), unit)
    return view


def _text(view: Image, text: str, place: tuple[int, int], unit: float) -> None:
    import cv2

    # The outline is the same text moved by a step: since OpenCV 5 a thicker text is also a wider one.
    step = max(1, round(unit))
    moves = [(x, y) for x in (-step, 0, step) for y in (-step, 0, step) if (x, y) != (0, 0)]
    thick = max(1, round(2 * unit))
    for (x, y), colour in [*((m, (0, 0, 0)) for m in moves), ((0, 0), (255, 255, 255))]:
        at = (place[0] + x, place[1] + y)
        cv2.putText(view, text, at, cv2.FONT_HERSHEY_SIMPLEX, unit, colour, thick, cv2.LINE_AA)
