"""Options of `facewarp track` for compositors and animators: layers, tracks, expressions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facewarp.cli.model_options import FieldOfView
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.face.clip.extra_outputs import ExtraOutputs


class CodecName(StrEnum):
    """What a video is coded with."""

    h264 = "h264"
    hevc = "hevc"
    hevc10 = "hevc10"
    prores422 = "prores422"
    prores4444 = "prores4444"
    vp9 = "vp9"
    av1 = "av1"


@dataclass(frozen=True)
class EncodingOptions:
    """How the video that `--out` names is coded.

    Attributes:
        codec: None for what its kind of file usually has.
        quality: 0 to 100; None for the codec's own, about 80.
    """

    codec: Annotated[
        CodecName | None,
        typer.Option(
            metavar="NAME",
            help="Codec of the video: h264, hevc, vp9; with 10 bits a channel hevc10, prores422, "
            "prores4444, av1.",
            show_default="h264, vp9",
        ),
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(
            min=0, max=100, metavar="0..100", help="Quality of the video.", show_default="about 80"
        ),
    ] = None


@dataclass(frozen=True)
class CompositingOptions:
    """What is written beside the picture; the picture itself only with `--out` then.

    Attributes:
        alpha: the effect alone.
        passes: OpenEXR files of layers.
        tracks: files of tracks.
        expressions: table of head pose, gaze and expression values.
        neutral: when the face is at rest, s.
        field_of_view: of the camera, degrees.
        first_frame: number of a clip's first frame.
    """

    alpha: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Only the effect, with straight alpha: .mov (ProRes 4444), .webm, .mkv, or "
            "f_%04d.png.",
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
            help="Tracks for Nuke (.nk), After Effects (.txt, masks .jsx), Blender (.py), an "
            "animated mesh (.glb) or outlines as Shake shapes (.ssf), by suffix or as FORMAT:FILE; "
            "may be given several times.",
            show_default=False,
        ),
    ] = None
    expressions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Head pose, gaze and 52 expression values (ARKit's names) of every frame: .csv "
            "or .jsonl.",
            show_default=False,
        ),
    ] = None
    neutral: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="SECOND",
            help="When the face is at rest; expressions count from it.",
            show_default="a mean face",
        ),
    ] = None
    field_of_view: FieldOfView = None
    first_frame: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Number of a clip's first frame in names.")
    ] = 1

    @property
    def wanted(self) -> bool:
        """Whether any of it is asked for."""
        return bool(self.alpha or self.passes or self.tracks or self.expressions)

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
        from facewarp.face.clip.extra_outputs import ExtraOutputs
        from facewarp.face.track_export.formats import TracksTarget

        if not self.wanted:
            return ExtraOutputs(first=self.first_frame)
        if len(inputs) > 1:
            what = "--alpha, --passes, --tracks and --expressions name the files of one input"
            raise FacewarpError(what, fix="Track the inputs one by one.")
        alpha, passes = (None if name is None else Path(name) for name in (self.alpha, self.passes))
        told = {name: repr(value) for name, value in settings.items()}
        tracks = tuple(map(TracksTarget.of, self.tracks or ()))
        extras = ExtraOutputs(alpha, passes, tracks, self.first_frame, resume, told)
        expressions = None if self.expressions is None else Path(self.expressions)
        return replace(
            extras,
            expressions=expressions,
            neutral=self.neutral,
            field_of_view=self.field_of_view,
        )
