"""The virtual camera of a live run."""

from __future__ import annotations

from mien.cli.live.output import Live, Output
from mien.cli.options.arguments import Options
from mien.engine.types import Image
from mien.streams.virtual_camera import VirtualCameraSink, virtual_camera_status


class VirtualCamera(Output):
    """A camera that video calls can choose (``--virtual-camera``).

    Args:
        sink: the device.
    """

    name = "virtual camera"
    doing = "sending"
    with_file = "--virtual-camera is for live use. A file's result goes to --output."

    def __init__(self, sink: VirtualCameraSink) -> None:
        self._sink = sink

    @classmethod
    def wanted(cls, options: Options) -> bool:
        return options.virtual_camera is not None

    @classmethod
    def open(cls, options: Options, live: Live) -> VirtualCamera:
        width, height = live.size
        return cls(
            VirtualCameraSink(
                width=width,
                height=height,
                fps=float(live.fps),
                device=options.virtual_camera or None,
                tell=live.tell,
            )
        )

    @classmethod
    def status(cls) -> str:
        return virtual_camera_status()[1]

    @property
    def where(self) -> str:
        return f"the virtual camera {self._sink.device}"

    @property
    def notes(self) -> list[str]:
        return self._sink.notes

    def write(self, image: Image, time: float) -> None:
        self._sink.write(image, time)

    def abort(self) -> None:
        self._sink.close()
