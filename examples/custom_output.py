"""An output of one's own: raw RGB frames into a pipe, for any program that reads them.

python examples/custom_output.py talk.mp4 me.jpg | ffplay -f rawvideo -pix_fmt rgb24 -video_size 512x512 -

An output is a ``Sink``: ``write`` takes the images in order, ``close`` finishes, ``abort`` drops what came.
How one becomes an option of ``mien`` is in docs/architecture.md.
"""

import sys
from typing import BinaryIO

import mien
from mien.engine.types import Image
from mien.streams.sink import Sink


class PipeSink(Sink):
    """Writes ``(H, W, 3) uint8`` RGB images to a binary stream, which stays the caller's."""

    def __init__(self, stream: BinaryIO) -> None:
        self.notes: list[str] = []
        self._stream = stream

    def write(self, image: Image, time: float) -> None:
        """Write one image; raw video knows no time stamps, so ``time`` is left out."""
        try:
            self._stream.write(image.tobytes())
        except BrokenPipeError as error:
            raise mien.SinkError("The program that reads the frames has ended.") from error

    def close(self) -> None:
        """Send what waits."""
        self._stream.flush()

    def abort(self) -> None:
        """Nothing to take back: what was written has been read."""


def main(clip: str, portrait: str, stream: BinaryIO) -> None:
    """Animate ``portrait`` with ``clip``, into ``stream``."""
    avatar = mien.load_avatar(portrait, side=512)
    with mien.open_source(clip) as frames, mien.Animator(avatar) as animator, PipeSink(stream) as sink:
        for frame in frames:
            rendered = animator.step(frame)
            sink.write(rendered.image, rendered.time)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3], sys.stdout.buffer)
    except mien.MienError as error:
        sys.exit(str(error))
