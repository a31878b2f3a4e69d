"""Protocols of a live session: source, frame processor, presenter, controls and actions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.face.expressions.expression_tracker import Expression
from facewarp.face.face import Face
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame, Image

Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CapturedFrame(Frame):
    """A frame whose time of capture is known.

    Attributes:
        captured: seconds of `time.perf_counter`.
    """

    captured: float = 0.0


@dataclass(frozen=True, eq=False)
class ProcessedFrame:
    """A processed frame: the image to display, and what was found in it.

    Attributes:
        image: (H, W, 3) uint8 RGB as it is recorded and sent, never mirrored, and of another size
            than the frame for the effect `canonical`; never changed in place.
        records: one per face, with the fields of `track_records.FIELDS`.
        seconds: of `detect`, `register` and `render`; what is missing counts as 0.
        faces: the faces tracked, in px of the camera's frame.
        expressions: of these faces, where they are computed; left and right are the subject's.
        mirror: whether a preview of it is to be mirrored.
        layer: what the effect drew, taken off the frame; None unless `Controls.want_layer` asked
            for it, and for an effect that replaces the frame.
    """

    image: Image
    records: Sequence[Record]
    seconds: Mapping[str, float]
    faces: Sequence[Face] = ()
    expressions: Sequence[Expression] = ()
    mirror: bool = False
    layer: EffectLayer | None = None


FrameProcessor = Callable[[Frame], ProcessedFrame]


@runtime_checkable
class StagedProcessor(Protocol):
    """A frame processor of two stages: while a frame is drawn the next one is tracked."""

    def __call__(self, frame: Frame) -> ProcessedFrame:
        """Do both."""

    def track(self, frame: Frame) -> Any:
        """Find what is in the next frame; called in the order of frames."""

    def draw(self, tracked: Any) -> ProcessedFrame:
        """Draw what `track` returned; in the same order, perhaps in another thread."""


class LiveSource(Protocol):
    """A source of live frames; every `Source` is one, with no notice."""

    @property
    def name(self) -> str:
        """Name to display."""

    @property
    def notice(self) -> str | None:
        """Why no frames come, such as `camera lost, waiting`; None while they do."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, in the capturing thread.

        Those that are no `CapturedFrame` count as captured when they come out.
        """

    def close(self) -> None:
        """End the iteration soon; called from another thread."""


class Presenter(Protocol):
    """A sink of results: a window, a page, a file, a network. Called in the loop's thread."""

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """Take a result, each once, in order; `stats` are those up to the frame before."""

    def idle(self, stats: LiveStats) -> None:
        """Handle events; called about twenty times a second while no result comes.

        A window handles its events and shows `LiveStats.notice`.
        """

    def close(self) -> None:
        """Free what is held; called once, after the last result, also after an error."""


class Controls(Protocol):
    """Settings that a window or a page changes while frames run; callable from any thread."""

    def settings(self) -> Mapping[str, Any]:
        """Return the fields of `LiveSettings` by name."""

    def choices(self) -> Mapping[str, Sequence[str]]:
        """Return what effect, texture, template, style and style mode may be."""

    def change(self, **settings: Any) -> None:
        """Change some settings; raise FacewarpError and change nothing where one can't be."""

    def snapshot_template(self) -> str:
        """Make the last face seen the template; return a message to display.

        Raises:
            FacewarpError: no face was seen.
        """

    def snapshot_neutral(self) -> str:
        """Count expressions from the face as it is now; return a message to display.

        Raises:
            FacewarpError: no face was seen, or no expressions are computed.
        """

    def forget(self) -> None:
        """Forgets the face seen last: whoever it was has left."""

    def want_layer(self, wanted: bool) -> None:
        """Say whether results are to have the effect's own `layer`."""

    def upload_template(self, image: Image) -> str:
        """Make the face in an image (H, W, 3) RGB the template; return a message."""

    def upload_texture(self, rgba: NDArray[np.uint8]) -> str:
        """Apply a texture of the user's own (H, W, 4); return a message to display."""

    def upload_style(self, image: Image) -> str:
        """Apply the style of the face in an image (H, W, 3) RGB; return a message to display."""


class Actions(Protocol):
    """What a viewer can ask of a session; callable from any thread."""

    def stop(self) -> None:
        """End the session."""

    def pause(self) -> str:
        """Pause or resume; return a message to display."""

    def record(self) -> str:
        """Start or end a recording; return a message to display."""

    def screenshot(self) -> str:
        """Write the last image displayed to a file; return a message to display."""
