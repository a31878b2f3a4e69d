"""The shape of pixels in Matroska and WebM, which PyAV does not write."""

from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.media.frames import Frame
from facewarp.media.orientation import Orientation
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.video.matroska import write_aspect

STRICT = {"err_detect": "crccheck+explode"}


def write_wide(path, aspect, size=(64, 48), turn=None, frames=30):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, width=size[0], height=size[1], pix_fmt="yuv420p"
        )
        stream.codec_context.sample_aspect_ratio = aspect
        if turn is not None:
            stream.set_display_matrix(turn.display_matrix(size))
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame(*size, "yuv420p")))
        container.mux(stream.encode(None))
    return path


def copy(path, out, **options):
    with open_source(path) as source, open_sink(out, like=source, **options) as sink:
        for frame in source:
            sink.write(frame)


def told(path):
    """Pixel aspect, and times of all pictures and of those from 0.8 s on, by a strict reader."""
    with av.open(str(path), options=STRICT) as container:
        stream = container.streams.video[0]
        times = [picture.time for picture in container.decode(stream)]
        container.seek(800_000)
        later = [picture.time for picture in container.decode(stream)]
        return stream.sample_aspect_ratio, times, later


@pytest.mark.parametrize(
    ("out", "options"),
    [
        ("out.webm", {}), ("out.mkv", {}), ("out.mkv", {"codec": "vp9"}),
        ("out.mkv", {"codec": "prores422"}), ("out.webm", {"alpha": True}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9), Fraction(3, 2)])
def test_pixels_are_as_wide_in_a_copy(tmp_path, aspect, out, options):
    copy(write_wide(tmp_path / "wide.mp4", aspect), tmp_path / out, **options)
    found, times, later = told(tmp_path / out)
    assert float(found) == pytest.approx(float(aspect), rel=0.01)
    assert times == pytest.approx(np.arange(30) / 25, abs=1e-3)
    assert times[-1] in later  # what lies where is still right
    assert later[0] <= 0.8
    with open_source(tmp_path / out) as source:
        assert float(source.sample_aspect) == pytest.approx(float(aspect), rel=0.01)


@pytest.mark.parametrize("turn", [Orientation(1), Orientation(3, mirrored=True)])
def test_turned_clips_keep_the_shape_of_their_pixels(tmp_path, turn):
    path = write_wide(tmp_path / "wide.mp4", Fraction(3, 2), turn=turn, frames=2)
    copy(path, tmp_path / "out.webm")
    with open_source(tmp_path / "out.webm") as source:
        assert (source.sample_aspect, source.orientation) == (Fraction(2, 3), turn)


def test_a_file_that_is_built_otherwise_is_left_as_it_is(tmp_path):
    path = tmp_path / "plain.webm"
    with open_sink(path, size=(64, 64), fps=25) as sink:
        sink.write(Frame(np.zeros((64, 64, 3), np.uint8), 0.0, 0))
    whole = path.read_bytes()
    room = whole.index(b"\xec\x01\0\0\0\0\0\0")  # the element without meaning before the tracks
    for damaged in (whole[:room], whole[:200], b"", whole[:room] + b"\xa1" + whole[room + 1 :]):
        path.write_bytes(damaged)
        assert not write_aspect(path, Fraction(3, 2))
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    assert write_aspect(path, Fraction(3, 2))
    assert len(path.read_bytes()) == len(whole)
    assert told(path)[0] == Fraction(3, 2)
