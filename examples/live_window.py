"""A camera drives a portrait in a window: X takes a new reference frame, Esc ends.

python examples/live_window.py me.jpg [camera]

Everything runs in one thread here, which is enough to try things; ``mien --avatar me.jpg`` gives every step a
thread of its own and has more keys.
"""

import sys

import mien
from mien.streams.preview import PreviewSink

ESCAPE = 27


def main(portrait: str, camera: str = "0") -> None:
    """Show ``portrait`` as the face before ``camera`` moves."""
    avatar = mien.load_avatar(portrait, side=512)
    window = PreviewSink(mirror=True)
    with mien.open_source(camera) as frames, mien.Animator(avatar, live=True) as animator, window:
        # A camera gives the newest frame: those that arrive while one is drawn are dropped.
        for frame in frames:
            rendered = animator.step(frame)
            window.status = "no face" if animator.lost else f"{sum(rendered.stage_ms.values()):.0f} ms"
            key = window.show(rendered.image)
            if key == ord("x"):
                animator.set_reference(frame.image)
            if key == ESCAPE or window.closed:
                break


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except mien.MienError as error:
        sys.exit(str(error))
