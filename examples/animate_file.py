"""A clip drives a portrait, into a video file with the clip's sound.

python examples/animate_file.py talk.mp4 me.jpg me-talking.mp4
"""

import sys
from pathlib import Path

import mien


def main(clip: str, portrait: str, output: str) -> None:
    """Animate ``portrait`` with every frame of ``clip``."""
    avatar = mien.load_avatar(portrait)
    with mien.open_source(clip) as frames, mien.Animator(avatar) as animator:
        width, height = animator.size
        fps = frames.info.fps
        with mien.open_sink(output, width=width, height=height, fps=fps, audio_from=Path(clip)) as sink:
            for frame in frames:
                rendered = animator.step(frame)
                sink.write(rendered.image, rendered.time)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except mien.MienError as error:
        sys.exit(str(error))
