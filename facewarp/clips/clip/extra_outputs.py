"""What is wanted of a clip beside its picture: by patterns of names, or by names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facewarp.face.track_export.formats import TracksTarget
from facewarp.media.images.sequence import FIRST


@dataclass(frozen=True)
class ExtraOutputs:
    """What else of one input is wanted.

    Attributes:
        alpha: file or numbered pictures of the effect alone.
        passes: numbered OpenEXR files.
        tracks: files for other programs.
        expressions: table of head pose, gaze and expression values.
        neutral: when, s, the faces of a clip are at rest; None to take a mean face for it.
        field_of_view: of the camera along the longer side, degrees; None for the usual.
        first: number of a clip's first frame.
        resume: keep files of passes that are whole and made from the same.
        made_from: settings that the passes depend on.
    """

    alpha: Path | None = None
    passes: Path | None = None
    tracks: tuple[TracksTarget, ...] = ()
    first: int = FIRST
    resume: bool = False
    made_from: Mapping[str, Any] = field(default_factory=dict)
    expressions: Path | None = None
    neutral: float | None = None
    field_of_view: float | None = None

    @property
    def paths(self) -> list[Path]:
        """All files and patterns."""
        single = self.alpha, self.passes, self.expressions
        named = [path for path in single if path is not None]
        return [*named, *(target.path for target in self.tracks)]

    @property
    def counts_frames(self) -> bool:
        """Whether something is written in which the number of a frame is its time."""
        return bool(self.passes) or any(target.counts_frames for target in self.tracks)

    @property
    def needs_layer(self) -> bool:
        """Whether the effect has to be taken off its frame."""
        return bool(self.alpha or self.passes)


@dataclass(frozen=True)
class ExtraPatterns:
    """What is wanted beside the picture of each clip, by patterns of names.

    Attributes:
        alpha: for the effect alone; None without.
        passes: for files of layers; None without.
        tracks: for tracks, see `facewarp.face.track_export`.
        expressions: for tables of expressions; None without.
        neutral: second at which the face of every clip is at rest.
        field_of_view: of the camera, degrees.
        first_frame: number of a clip's first frame in names.
    """

    alpha: str | None = None
    passes: str | None = None
    tracks: tuple[str, ...] = ()
    expressions: str | None = None
    neutral: float | None = None
    field_of_view: float | None = None
    first_frame: int = FIRST

    @property
    def wanted(self) -> bool:
        """Whether any of it is asked for."""
        return bool(self.alpha or self.passes or self.tracks or self.expressions)

    def outputs(
        self,
        fill: Callable[[str], str],
        made_from: Mapping[str, Any],
        *,
        resume: bool,
    ) -> ExtraOutputs:
        """Return what is wanted of one clip.

        Args:
            fill: from a pattern of names to the clip's own.
            made_from: settings that the passes depend on.
            resume: keep files of passes that are whole and made from the same.

        Raises:
            FacewarpError: a file of tracks has no format.
        """
        alpha, passes, expressions = (
            Path(fill(pattern)) if pattern else None
            for pattern in (self.alpha, self.passes, self.expressions)
        )
        return ExtraOutputs(
            alpha=alpha,
            passes=passes,
            tracks=tuple(TracksTarget.of(fill(pattern)) for pattern in self.tracks),
            first=self.first_frame,
            resume=resume,
            made_from={name: repr(value) for name, value in made_from.items()},
            expressions=expressions,
            neutral=self.neutral,
            field_of_view=self.field_of_view,
        )
