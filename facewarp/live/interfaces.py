"""Who does what in a live session: sources, work, presenters, and what a viewer can ask for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.face.face import Face
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame, Image

Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CapturedFrame(Frame):
    """A frame whose source knows when it was captured.

    Attributes:
        captured: Seconds of `time.perf_counter`.
    """

    captured: float = 0.0


@dataclass(frozen=True, eq=False)
class ProcessedFrame:
    """A processed frame: the image to display, and what was found in it.

    Attributes:
        image: (H, W, 3) uint8 RGB to display, mirrored if that is set, and of another size than
            the frame for the effect ``canonical``; never changed in place.
        records: one per face, with the fields of `track_records.FIELDS`.
        seconds: of ``detect``, ``register`` and ``render``; what is missing counts as 0.
        faces: the faces tracked, in px of the camera's frame, never mirrored.
    """

    image: Image
    records: Sequence[Record]
    seconds: Mapping[str, float]
    faces: Sequence[Face] = ()


FrameProcessor = Callable[[Frame], ProcessedFrame]


class LiveSource(Protocol):
    """Frames as they come; every `Source` is one, with no notice."""

    @property
    def name(self) -> str:
        """What a viewer calls it."""

    @property
    def notice(self) -> str | None:
        """Why no frames come, such as ``camera lost, waiting``; None while they do."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in the thread that captures.

        Those that are no `CapturedFrame` count as captured when they come out.
        """

    def close(self) -> None:
        """Ends the iteration soon; called from another thread."""


class Presenter(Protocol):
    """Where results go: a window, a page, a file, a network. Called in the thread of the loop."""

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """Takes a result, each once, in order; ``stats`` are those up to the frame before."""

    def idle(self, stats: LiveStats) -> None:
        """Called about twenty times a second while no result comes.

        A window handles its events and shows `LiveStats.notice`.
        """

    def close(self) -> None:
        """Called once, after the last result, also after an error."""


class Controls(Protocol):
    """What keys of a window or buttons of a page change while frames run; for any thread."""

    def settings(self) -> Mapping[str, Any]:
        """By name: effect, texture, opacity, smoothing, mirror, template."""

    def choices(self) -> Mapping[str, Sequence[str]]:
        """What effect, texture and template may be."""

    def change(self, **settings: Any) -> None:
        """Changes some settings; FacewarpError, and nothing is changed, where one can't be."""

    def snapshot_template(self) -> str:
        """Makes the face seen last the template; returns a line to show.

        Raises:
            FacewarpError: No face was seen.
        """

    def forget(self) -> None:
        """Forgets the face seen last: whoever it was has left."""

    def upload_template(self, image: Image) -> str:
        """Makes the face in a picture (H, W, 3) RGB the template; returns a line to show."""

    def upload_texture(self, rgba: NDArray[np.uint8]) -> str:
        """Wears a texture of one's own (H, W, 4); returns a line to show."""


class Actions(Protocol):
    """What a viewer can ask of the session; for any thread."""

    def stop(self) -> None:
        """Ends the session."""

    def pause(self) -> str:
        """Pauses, or goes on; returns a line to show."""

    def record(self) -> str:
        """Starts or ends a recording; returns a line to show."""

    def screenshot(self) -> str:
        """Writes the picture shown last to a file; returns a line to show."""
