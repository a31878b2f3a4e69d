"""Options of what `facewarp track` writes: coding of videos, layers, tracks, expressions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from facewarp.cli.model_options import FieldOfView

if TYPE_CHECKING:
    from facewarp.clips.clip.extra_outputs import ExtraPatterns
    from facewarp.clips.clip.track_job import Encoding


class CodecName(StrEnum):
    """What a video is coded with."""

    h264 = "h264"
    hevc = "hevc"
    hevc10 = "hevc10"
    prores422 = "prores422"
    prores4444 = "prores4444"
    vp9 = "vp9"
    av1 = "av1"


class AudioName(StrEnum):
    """What becomes of the sound of a video."""

    copy = "copy"
    convert = "convert"
    none = "none"


@dataclass(frozen=True)
class EncodingOptions:
    """How the video that `--out` names is coded.

    Attributes:
        codec: None for what its kind of file usually has.
        quality: 0 to 100; None for the codec's own, about 80.
        audio: what becomes of the sound.
        keep_hdr: whether HDR stays HDR.
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
    audio: Annotated[
        AudioName,
        typer.Option(
            metavar="NAME",
            help="Sound of videos: copy (converted only where the file's kind needs it), convert "
            "to AAC or Opus, or none.",
        ),
    ] = AudioName.copy
    keep_hdr: Annotated[
        bool,
        typer.Option(
            "--keep-hdr", help="Write HLG and PQ video as HDR, 10 bits a channel, not as BT.709."
        ),
    ] = False

    def encoding(self) -> "Encoding":
        """Return the same for the library."""
        from facewarp.clips.clip.track_job import Encoding

        codec = None if self.codec is None else self.codec.value
        return Encoding(self.audio.value, self.keep_hdr, codec, self.quality)


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

    def __post_init__(self) -> None:
        """Check that the options go together.

        Raises:
            typer.BadParameter: one is of an output that is not wanted.
        """
        for option, value in (("neutral", self.neutral), ("field-of-view", self.field_of_view)):
            if value is not None and self.expressions is None:
                why = "this is for --expressions; give that, too."
                raise typer.BadParameter(why, param_hint=f"--{option}")

    def patterns(self) -> "ExtraPatterns":
        """Return the same for the library."""
        from facewarp.clips.clip.extra_outputs import ExtraPatterns

        return ExtraPatterns(**{**vars(self), "tracks": tuple(self.tracks or ())})
