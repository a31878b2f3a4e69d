"""Find the neutral face of a clip, from which expressions count."""

from typing import Final

from facewarp.errors import FacewarpError
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Source
from facewarp.media.video.pixels.frame_conversion import with_square_pixels

_FIX: Final = "Give a second at which the face is seen at rest."


def set_neutral(
    expressions: ExpressionTracker, tracker: FaceTracker, source: Source, time: float
) -> None:
    """Take the largest face of a clip at a time for the neutral one of every face.

    Raises:
        FacewarpError: there is no such time, or no face then.
    """
    tracker.reset()
    with _opened_at(source, time) as clip:
        try:
            frame = next(iter(clip), None)
        except FacewarpError as error:
            what = f"there is no picture at the {time:g} s of --neutral: {error.what}"
            raise FacewarpError(what, source.path, _FIX) from error
        if frame is not None:
            frame = frame.with_image(with_square_pixels(frame.image, clip.sample_aspect)[0])
        faces = [] if frame is None else tracker(frame.image, frame.time)
    tracker.reset()
    if frame is None or not expressions.take_neutral(frame.image, faces, frame.time):
        what = f"there is no face to be the neutral one at {time:g} s"
        raise FacewarpError(what, source.path, _FIX)


def _opened_at(source: Source, time: float) -> Source:
    """Open a clip again at the second of the neutral face; its errors name the option."""
    if source.kind == "image" or not source.is_clip:
        what = "--neutral is a second of a clip, and pictures have none"
        raise FacewarpError(what, source.path, "Leave --neutral out, or give a clip its --fps.")
    if source.duration_s is not None and time >= source.duration_s:
        what = f"--neutral is {time:g} s, but the video ends at {source.duration_s:.2f} s"
        raise FacewarpError(what, source.path, _FIX)
    return source.opened_at(time)
