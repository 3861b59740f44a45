"""A session as a pipeline: capture -> track -> render -> any number of outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mien.engine.avatar import Avatar
from mien.engine.motion import Gains
from mien.engine.pipeline.pipeline import Pipeline
from mien.engine.pipeline.stage import Stage
from mien.engine.session.session import Session, Tracked
from mien.engine.types import Face, Frame, Image, Rendered
from mien.engine.utils.links import Link, Policy


@dataclass(frozen=True, slots=True)
class Shown:
    """One finished frame with its origin.

    Attributes:
        rendered: the avatar; several outputs share its array, so they must not write into it.
        frame: the driver's frame.
        face: the driver's face in it, or None.
        lost: whether the driver's face is out of sight.
    """

    rendered: Rendered
    frame: Frame
    face: Face | None
    lost: bool


class SteadyClock:
    """Keeps media time increasing when a source's clock is set back (a network stream that restarts)."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._last: float | None = None
        self._step = 1 / 30

    def steady(self, frame: Frame) -> Frame:
        """The frame with a time later than that of the previous one."""
        time = frame.time + self._offset
        if self._last is not None:
            if time <= self._last:
                self._offset += self._last + self._step - time
                time = self._last + self._step
            else:
                self._step = min(time - self._last, 1.0)
        self._last = time
        return frame if time == frame.time else replace(frame, time=time)


class LivePipeline(Pipeline):
    """One driver and one avatar, each step in its own thread.

    >>> live = LivePipeline(source, session, stop=source.close)       # doctest: +SKIP
    >>> live.send("file", lambda shown: sink.write(shown.rendered.image, shown.rendered.time))
    >>> rendered = live.output()
    >>> with live:
    ...     for shown in rendered:
    ...         window.show(shown.rendered.image)

    Outputs are declared before :meth:`start`.  From then on, the tracker, the renderer and the gains belong
    to the pipeline's threads and are changed through the ``set_`` methods, in order and never dropped.

    Args:
        frames: the driver's frames.
        session: with a tracker.
        policy: of the links between the stages.
        stop: ends a waiting iteration of ``frames`` (``source.close``).
        watch: called in the track thread with every frame's result.
        drawn: called in the render thread with every finished frame.
        on_fault: called with every stage that fails, in its thread.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        session: Session,
        *,
        policy: Policy = Policy.NEWEST,
        stop: Callable[[], None] | None = None,
        watch: Callable[[Tracked], None] | None = None,
        drawn: Callable[[Shown], None] | None = None,
        on_fault: Callable[[Stage], None] | None = None,
    ) -> None:
        super().__init__(on_fault)
        self.session = session
        self.policy = policy
        self._watch = watch
        self._drawn = drawn
        self._clock = SteadyClock()
        self.captured: Link[Frame] = Link(policy)
        self.tracked: Link[Tracked] = Link(policy)
        self._outputs: list[Link[Shown]] = []
        self.capture_stage = self.feed("capture", frames, [self.captured], stop)
        self.track_stage = self.stage("track", self._track, self.captured, [self.tracked])
        self.render_stage = self.stage("render", self._draw, self.tracked)

    @property
    def dropped(self) -> int:
        """Frames overtaken by newer ones on their way to the renderer."""
        return self.captured.dropped + self.tracked.dropped

    def output(self, policy: Policy | None = None, capacity: int = 1) -> Link[Shown]:
        """Add a link from which the caller takes finished frames."""
        link: Link[Shown] = Link(policy or self.policy, capacity)
        self._outputs.append(link)
        self.render_stage.outlets = tuple(self._outputs)
        return link

    def send(
        self,
        name: str,
        work: Callable[[Shown], None],
        *,
        policy: Policy | None = None,
        capacity: int = 1,
        required: bool = True,
        finish: Callable[[], None] | None = None,
    ) -> Stage:
        """Add an output that does ``work`` on every frame in its own thread.

        With ``NEWEST`` a slow one never holds up the others; ``capacity`` frames bridge its pauses.
        """
        return self.stage(name, work, self.output(policy, capacity), required=required, finish=finish)

    def set_reference(self, image: Image, face: Face) -> bool:
        """Make this image the reference from the next tracked frame on."""
        tracker = self.session.tracker
        if tracker is None:
            return False
        return self.track_stage.tell(lambda: _done(tracker.set_reference(image, face)))

    def set_avatar(self, avatar: Avatar) -> bool:
        """Draw another avatar, encoded beforehand, from the next frame on."""
        return self.render_stage.tell(lambda: self.session.renderer.set_avatar(avatar))

    def set_gains(self, gains: Gains) -> bool:
        """Apply other gains from the next frame on."""

        def change() -> None:
            self.session.gains = gains

        return self.render_stage.tell(change)

    def set_mouth(self, own: bool) -> bool:
        """Show the driver's own mouth, or the painted one alone, from the next frame on."""

        def change() -> None:
            tracker = self.session.tracker
            if tracker is not None and own:
                # Settings are read once a frame; a frame that was tracked without them is painted.
                tracker.settings = replace(tracker.settings, mouth=True)
            self.session.renderer.mouth.own = own

        return self.render_stage.tell(change)

    def _track(self, frame: Frame) -> Tracked:
        frame = self._clock.steady(frame)
        tracked = self.session.track(frame)
        if self._watch is not None:
            self._watch(tracked)
        return tracked

    def _draw(self, tracked: Tracked) -> Shown:
        rendered = self.session.draw(tracked)
        shown = Shown(rendered, tracked.frame, tracked.face, self.session.lost)
        if self._drawn is not None:
            self._drawn(shown)
        return shown


def _done(_: object) -> None:
    """Outlet of commands, which have no result."""
