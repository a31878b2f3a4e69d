"""Options of `facewarp track` for compositors: the effect alone, passes, tracks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.face.track_outputs import ExtraOutputs


@dataclass(frozen=True)
class CompositingOptions:
    """What is written for compositors; the picture itself only with `--out` then.

    Attributes:
        alpha: the effect alone.
        passes: OpenEXR files of layers.
        tracks: files of tracks.
        first_frame: number of a clip's first frame.
    """

    alpha: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Only the effect, with straight alpha: .mov (ProRes 4444), .webm, .mkv, or "
            "f_%04d.png|webp|tif.",
            show_default=False,
        ),
    ] = None
    passes: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Layers for compositors, an OpenEXR file a frame (out.####.exr): ST maps, motion "
            "vectors, mattes, visibility, Cryptomatte.",
            show_default=False,
        ),
    ] = None
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Tracks for Nuke (.nk), After Effects (.txt) or Blender (.py), by suffix or as "
            "FORMAT:FILE; may be given several times.",
            show_default=False,
        ),
    ] = None
    first_frame: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Number of a clip's first frame in names.")
    ] = 1

    @property
    def wanted(self) -> bool:
        """Whether any of it is asked for."""
        return bool(self.alpha or self.passes or self.tracks)

    def outputs(
        self, inputs: list[Path], settings: Mapping[str, Any], *, resume: bool = False
    ) -> "ExtraOutputs":
        """Return what is written beside the picture.

        Args:
            inputs: what is tracked.
            settings: that the passes depend on.
            resume: keep whole files of passes.

        Raises:
            FacewarpError: there are several inputs, or a file of tracks has no format.
        """
        from facewarp.face.track_export.formats import TracksTarget
        from facewarp.face.track_outputs import ExtraOutputs

        if not self.wanted:
            return ExtraOutputs(first=self.first_frame)
        if len(inputs) > 1:
            what = "--alpha, --passes and --tracks name the files of one input"
            raise FacewarpError(what, fix="Track the inputs one by one.")
        alpha, passes = (None if name is None else Path(name) for name in (self.alpha, self.passes))
        told = {name: repr(value) for name, value in settings.items()}
        tracks = tuple(map(TracksTarget.of, self.tracks or ()))
        return ExtraOutputs(alpha, passes, tracks, self.first_frame, resume, told)
