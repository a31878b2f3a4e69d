"""Track frames whose pixels are not square."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from facewarp.face.face import Face, scaled_face
from facewarp.media.frames import Frame
from facewarp.media.video.pixels.frame_conversion import with_square_pixels


def in_square_pixels(
    frames: Iterable[Frame],
    track: Callable[[Iterable[Frame]], Iterable[tuple[Frame, list[Face]]]],
    aspect: Fraction,
) -> Iterator[tuple[Frame, list[Face]]]:
    """Track frames as they are seen: a face is not narrow because its pixels are wide.

    Args:
        frames: as stored.
        track: yields every frame it is given, in order, with its faces.
        aspect: width of a stored pixel over its height.

    Yields:
        Every frame as stored, and its faces in px of it.
    """
    if aspect == 1:
        yield from track(frames)
        return
    waiting: deque[tuple[Frame, tuple[float, float]]] = deque()

    def square() -> Iterator[Frame]:
        for frame in frames:
            image, scale = with_square_pixels(frame.unpacked().image, aspect)
            waiting.append((frame, scale))
            yield frame.with_image(image)

    for _, faces in track(square()):
        frame, (x, y) = waiting.popleft()
        yield frame, [scaled_face(face, (1 / x, 1 / y)) for face in faces]
