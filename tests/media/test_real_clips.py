"""Clips from cameras and phones: what is generated elsewhere here, on files of other makers."""

import os
from pathlib import Path

import pytest

from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source

DATA = os.environ.get("FACEWARP_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="FACEWARP_DATA names no folder with clips")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("grid_bbaf2n.mpg", False),  # an MPEG program stream with MP2 sound
        ("face_noface.mov", True),  # HEVC of a phone, uneven, whose sound sets in after 2.4 s
        ("single_face.mp4", False),  # MP3 sound in MP4
    ],
)
def test_a_copy_keeps_count_times_and_sound(contents, tmp_path, name, variable):
    path = Path(DATA) / "video" / name
    out = tmp_path / "copy.mp4"
    with open_source(path) as source, open_sink(out, like=source) as sink:
        for frame in source:
            sink.write(frame)
    before, after = contents(path), contents(out)
    assert source.is_variable_rate == variable
    assert not source.truncated
    assert len(after.times) == sink.kept == len(before.times)
    assert after.times == pytest.approx(before.times, abs=1e-6)
    assert after.sound == before.sound
    assert after.sound_times == pytest.approx(before.sound_times, abs=1e-4)
    assert after.tags == before.tags
