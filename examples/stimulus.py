"""A stimulus with known content: the inner brows rise and fall again.

python examples/stimulus.py me.jpg stimulus.mkv

The motion is prescribed, so onset, apex, offset and strength are known exactly; beside the video it is saved
as ``stimulus.npz``, which plays on any face (``mien --driving stimulus.npz --avatar other.jpg``).
"""

import sys
from pathlib import Path

import mien
from mien.engine.compose.actions import FacialAction, Timing
from mien.engine.compose.composition import compose
from mien.engine.face.regions import region_indices

FPS = 50
RAISE = FacialAction(
    regions=tuple(region_indices(["brow_inner"])),
    timing=Timing(onset=0.3, apex=0.45, offset=0.75),  # seconds: as short as a micro-expression
    move=(0.0, -0.02),  # face units, y down
)


def main(portrait: str, output: str) -> None:
    """Write the stimulus on ``portrait`` to ``output``."""
    recording = compose([RAISE], seconds=1.0, fps=FPS)
    mien.save_recording(Path(output).with_suffix(".npz"), recording)
    with mien.Animator(mien.load_avatar(portrait)) as animator:
        width, height = animator.size
        with mien.open_sink(output, width=width, height=height, fps=FPS, lossless=True) as sink:
            for motion, time in zip(recording.motions, recording.times, strict=True):
                sink.write(animator.play(motion, time).image, time)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except mien.MienError as error:
        sys.exit(str(error))
