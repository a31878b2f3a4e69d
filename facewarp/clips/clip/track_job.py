"""One input to track, where its results go, and what was found."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from facewarp.clips.clip.extra_outputs import ExtraOutputs
from facewarp.face.face import Face
from facewarp.media.frames import Source
from facewarp.media.video.audio_copy import AudioMode


@dataclass(frozen=True)
class Encoding:
    """How a video is written.

    Attributes:
        audio: what becomes of the sound, see `VideoWriter`.
        keep_hdr: whether HDR stays HDR, 10 bits a channel.
        codec: one of `facewarp.media.video.encoders.CODECS`; None for what its kind of file has.
        quality: 0 to 100; None for the codec's own.
    """

    audio: AudioMode = "copy"
    keep_hdr: bool = False
    codec: str | None = None
    quality: int | None = None


@dataclass(frozen=True)
class TrackJob:
    """One input with where its pictures and its data go.

    Attributes:
        source: what is read.
        target: where the pictures go.
        data: where the track data goes.
        extras: what else is written.
        pictures: whether the pictures are written; else `target` only stands for the result.
        encoding: of a video.
    """

    source: Source
    target: Path
    data: Path | None
    extras: ExtraOutputs = field(default_factory=ExtraOutputs)
    pictures: bool = True
    encoding: Encoding = Encoding()


@dataclass
class Tally:
    """What was found, counted while it is found.

    Attributes:
        states: how many faces were in each state, over all frames.
        faces: (scene, id) of every face; ids belong to a scene.
        confidences: of every face that was there.
        frames_without: frames without a face.
        most_seen: the most faces seen in one frame, followed or not.
        extras: files and patterns written beside the picture.
    """

    states: Counter[str] = field(default_factory=Counter)
    faces: set[tuple[int, int]] = field(default_factory=set)
    confidences: list[float] = field(default_factory=list)
    frames_without: int = 0
    most_seen: int = 0
    extras: list[Path] = field(default_factory=list)

    def add(self, scene: int, faces: list[Face]) -> None:
        """Count a frame's faces."""
        there = [face for face in faces if face.state != "lost"]
        self.states.update(face.state for face in faces)
        self.faces.update((scene, face.id) for face in there)
        self.confidences.extend(face.confidence for face in there)
        self.frames_without += not there

    @property
    def mean_confidence(self) -> float | None:
        """Over all faces and frames; None without a face."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else None
