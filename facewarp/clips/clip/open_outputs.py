"""Open what is written beside the picture."""

from facewarp.clips.clip.alpha_output import AlphaOutput
from facewarp.clips.clip.expressions_output import ExpressionsOutput
from facewarp.clips.clip.extra_outputs import ExtraOutputs
from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.clips.clip.pass_output import PassOutput
from facewarp.clips.clip.tracks_output import TracksOutput
from facewarp.face.template.template import Template
from facewarp.media.frames import Source


def open_extras(
    extras: ExtraOutputs, source: Source, template: Template, comment: str | None
) -> list[FrameOutput]:
    """Open what is wanted beside the picture.

    Args:
        extras: what is wanted.
        source: of the frames.
        template: what faces are registered to.
        comment: what the metadata of pictures says of them.

    Raises:
        FacewarpError: one can't be written.
    """
    opened: list[FrameOutput] = []
    try:
        if extras.alpha is not None:
            opened.append(AlphaOutput(extras.alpha, source, extras.first, comment))
        if extras.passes is not None:
            opened.append(PassOutput(extras, source, template))
        for target in extras.tracks:
            opened.append(TracksOutput(target, source, template, extras.first))
        if extras.expressions is not None:
            opened.append(ExpressionsOutput(extras, source, template))
    except BaseException:
        for output in opened:
            output.abort()
        raise
    return opened
