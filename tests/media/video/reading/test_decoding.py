"""Pictures that are damaged, missing or told by nothing at all."""

import logging
import re

import av
import cv2
import numpy as np

from facewarp.media.sources import open_source
from facewarp.media.video.container import open_container
from facewarp.media.video.reading.decoding import PictureDecoder
from facewarp.media.video.timeline import Timeline


class WithEmptyPackets:
    """A file with an empty packet after each packet: Theora tells so that a picture stays."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self._container = container

    def demux(self, stream):
        for packet in self._container.demux(stream):
            yield packet
            if packet.size:
                empty = av.Packet()
                empty.stream, empty.time_base = stream, packet.time_base
                empty.pts = packet.pts
                yield empty


def test_an_empty_packet_ends_nothing(make_clip):
    path = make_clip("clip.mkv", frames=12)
    with open_container(path) as container:
        stream = container.streams.video[0]
        decoder = PictureDecoder(path, WithEmptyPackets(container), stream, Timeline())
        assert sum(1 for _ in decoder.pictures()) == 12
        assert decoder.faults == 0


def test_a_picture_that_is_incomplete_is_told(make_clip, caplog):
    """Its decoder shows what it has: the rest is green, and nothing else says so."""
    path = make_clip("clip.ts", frames=60, size=(160, 120), codec="mpeg2video")
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    middle = len(content) // 2 // 188 * 188
    for packet in range(middle, middle + 4 * 188, 188):  # headers and counters stay as they are
        content[packet + 20 : packet + 188] = rng.integers(0, 255, 168, np.uint8).tobytes()
    path.write_bytes(content)
    source = open_source(path)
    with caplog.at_level(logging.WARNING):
        assert sum(1 for _ in source) > 50
    assert source.truncated
    assert "damaged" in caplog.text


def test_half_a_jpeg_is_told_and_a_few_bits_are_not(rng, tmp_path, caplog):
    """A decoder of JPEG shows green or what was before where data is missing, and does not say."""
    damaged = tmp_path / "damaged.mjpeg"
    with damaged.open("wb") as file:
        for number in range(12):
            noise = rng.integers(0, 256, (120, 160, 3), np.uint8)
            jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
            keep = {4: len(jpeg) // 2, 7: len(jpeg) // 2, 9: len(jpeg) - 300}
            file.write(jpeg[: keep.get(number)])
    source = open_source(damaged)
    with caplog.at_level(logging.WARNING):
        assert sum(1 for _ in source) == 12
    assert source.truncated
    assert "errors: 2" in caplog.text


def test_a_recording_that_begins_between_key_pictures_is_told(make_clip):
    path = make_clip("clip.ts", frames=60, codec="mpeg2video", options={"g": "15"})
    whole = path.read_bytes()
    source = open_source(path)
    assert sum(1 for _ in source) == 60
    assert source.notes == []

    path.write_bytes(whole[len(whole) // 10 // 188 * 188 :])
    source = open_source(path)
    count = sum(1 for _ in source)
    assert 45 <= count < 60
    assert len(source.notes) == 1
    assert (
        "pictures can't be decoded: the recording begins between two key pictures"
        in (source.notes[0])
    )
    assert not source.truncated


def test_a_picture_whose_colors_cannot_be_converted_is_left_out_and_told(make_clip, caplog):
    """ProRes tells colors in the header of each picture: the third one's are damaged."""
    path = make_clip("clip.mov", frames=6, codec="prores_ks", pix_fmt="yuv422p10le")
    content = bytearray(path.read_bytes())
    at = [found.start() for found in re.finditer(b"icpf", bytes(content))][2]
    content[at + 20] = 8  # the matrix: YCgCo
    path.write_bytes(content)
    source = open_source(path)
    with caplog.at_level(logging.WARNING):
        assert [frame.index for frame in source] == list(range(5))
    assert source.truncated
    assert "errors: 1" in caplog.text
