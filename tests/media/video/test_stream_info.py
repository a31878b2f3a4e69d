"""Of several streams the right one is read, with its own sound, and what is left out is told."""

from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.sources import open_source
from facewarp.media.video.stream_info import Crop, StreamInfo, later_timecode

DESCRIPTION = """\
Input #0, mpegts, from '':
  Duration: 00:00:02.03, start: 0.058667, bitrate: 464 kb/s
  Program 1
    Metadata:
      service_name    : First
  Stream #0:0[0x100]: Video: h264 (High), yuv420p(progressive), 64x48, 25 fps
    Side data:
      Frame Cropping: 4/12/3/5
  Stream #0:1[0x101](deu): Audio: aac (LC) ([15][0][0][0] / 0x000F), 48000 Hz, stereo
  Program 2
  Stream #0:2[0x200]: Video: h264 (High), yuv420p(progressive), 128x96, 25 fps
  Stream #0:3[0x201]: Audio: none (apac / 0x63617061), 48000 Hz, 2 channels, 128 kb/s
  No Program
  Stream #0:4[0x300]: Audio: mp2, 48000 Hz, stereo
"""


def test_a_description_tells_programs_codecs_and_cropping():
    info = StreamInfo.parse(DESCRIPTION)
    assert info.programs == (frozenset({0, 1}), frozenset({2, 3}))
    assert info.codecs == {0: "h264", 1: "aac", 2: "h264", 3: "apac", 4: "mp2"}
    assert info.crops == {0: Crop(4, 12, 3, 5)}
    assert info.crops[0].cropped_size((64, 48)) == (48, 40)


@pytest.mark.parametrize(
    ("told", "location"),
    [("yuv420p(left)", "left"), ("yuv420p10le(tv, bt2020nc/bt2020/smpte2084, topleft)", "topleft"),
     ("yuv420p(tv, smpte170m, top coded first (swapped), left)", "left"),
     ("yuv420p(tv, top first)", None), ("yuv420p(bt709, bottom first, bottomleft)", "bottomleft"),
     ("yuvj420p(pc, bt470bg/unknown/unknown, center)", "center"), ("yuv444p", None)],
)  # fmt: skip
def test_a_description_tells_where_chroma_lies(told, location):
    line = "  Stream #0:2[0x1](und): Video: hevc (Main 10), 1 reference frame (hvc1 / 0x31637668), "
    info = StreamInfo.parse(f"{line}{told}, 64x48, 30 fps (default)\n")
    assert info.chroma_locations.get(2) == location
    assert info.codecs == {2: "hevc"}


def test_a_codec_without_a_decoder_is_named_beside_its_reference_frames():
    line = "  Stream #0:0: Video: none, 1 reference frame (AVdv / 0x76645641), 720x576, 25 fps\n"
    assert StreamInfo.parse(line).codecs == {0: "AVdv"}


def write_videos(path, streams, options=None):
    """A file of several video streams: (width, height), shade and disposition of each."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        tracks = []
        for (width, height), shade, disposition in streams:
            track = container.add_stream(
                "mjpeg", rate=25, width=width, height=height, pix_fmt="yuvj420p"
            )
            track.disposition = disposition
            tracks.append((track, shade))
        for number in range(5):
            for track, shade in tracks:
                image = np.full((track.height, track.width, 3), shade, np.uint8)
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture = picture.reformat(format="yuvj420p", threads=1)
                picture.pts = number
                container.mux(track.encode(picture))
        for track, _ in tracks:
            container.mux(track.encode(None))
    return path


PREVIEW, PICTURE = (32, 16), (128, 96)


@pytest.mark.parametrize("name", ["two.mov", "two.mkv"])
@pytest.mark.parametrize(
    ("streams", "size", "number"),
    [
        ([(PREVIEW, 50, 0), (PICTURE, 200, 1)], PICTURE, 1),  # the default one
        ([(PREVIEW, 50, 0), (PICTURE, 200, 0)], PICTURE, 1),  # else the largest
        ([(PICTURE, 200, 0), (PREVIEW, 50, 0)], PICTURE, 0),
        ([(PREVIEW, 200, 1), (PICTURE, 50, 0)], PREVIEW, 0),  # the default one, though small
        ([(PICTURE, 200, 0), (PICTURE, 50, 0)], PICTURE, 0),  # of equals the first
    ],
)
def test_the_default_stream_is_read_else_the_largest(tmp_path, name, streams, size, number):
    if name == "two.mov" and all(not disposition for *_, disposition in streams):
        streams = [(size, shade, 1) for size, shade, _ in streams]  # MOV has always one
    source = open_source(write_videos(tmp_path / name, streams))
    frames = list(source)
    assert source.size == size
    assert {round(float(frame.image.mean()) / 10) for frame in frames} == {20}
    assert source.notes[0].startswith(f"of 2 video streams number {number} is read")


def test_one_stream_needs_no_word(tmp_path):
    assert open_source(write_videos(tmp_path / "one.mov", [(PICTURE, 9, 0)])).notes == []


def test_cover_pictures_are_no_video(make_clip, tmp_path):
    path = make_clip("song.mkv", sound="aac")
    cover = tmp_path / "cover.mkv"
    with av.open(str(path)) as source, av.open(str(cover), "w") as container:
        track = container.add_stream_from_template(source.streams.audio[0])
        picture = container.add_stream_from_template(source.streams.video[0])
        picture.disposition = av.stream.Disposition.still_image
        for packet in source.demux():
            if packet.size:
                packet.stream = picture if packet.stream.type == "video" else track
                container.mux(packet)
    with av.open(str(cover)) as container:
        marked = container.streams.video[0].disposition
    source = open_source(cover)  # for want of other pictures
    assert source.size == (64, 48)
    assert marked in (0, av.stream.Disposition.still_image)


# Programs of a transport stream, which PyAV can't write: two files become one.


def checksum(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value.to_bytes(4, "big")


@pytest.fixture
def two_programs(make_flashes):
    def program(number, size, hertz_index):
        options = {
            "mpegts_service_id": str(number),
            "mpegts_pmt_start_pid": str(0x1000 + number),
            "mpegts_start_pid": str(0x100 * number),
        }
        sounds = [{"codec": "mp2" if number == 1 else "aac"}] * hertz_index
        path = make_flashes(f"p{number}.ts", size=size, container_options=options, sounds=sounds)
        data = path.read_bytes()
        return [data[place : place + 188] for place in range(0, len(data), 188)]

    def make(first_size, second_size):
        first, second = program(1, first_size, 1), program(2, second_size, 2)
        table = bytes([0, 0xB0, 17, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 1, 0, 2, 0xF0, 2])
        table += checksum(table)
        packets = []
        for number in range(max(len(first), len(second))):
            for own in (first, second):
                packet = own[number] if number < len(own) else None
                if packet is not None and (packet[1] & 31) << 8 | packet[2] == 0:  # the PAT
                    filled = packet[:5] + table + bytes([255]) * (183 - len(table))
                    packet = filled if own is first else None
                if packet is not None:
                    packets.append(packet)
        path = make_flashes("both.ts").with_name("programs.ts")
        path.write_bytes(b"".join(packets))
        return path

    return make


@pytest.mark.parametrize(
    ("sizes", "codecs"),
    [(((64, 48), (128, 96)), ["aac", "aac"]), (((128, 96), (64, 48)), ["mp2"])],
)
def test_sound_comes_from_the_program_of_the_pictures(
    two_programs, measured, copied, sizes, codecs
):
    path = two_programs(*sizes)
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert source.size == (128, 96)
    assert [name.replace("mp3float", "mp2") for name in after.codecs] == codecs
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)
    assert "of 2 video streams" in source.notes[0]


def test_pictures_without_a_decoder_are_named(make_clip):
    path = make_clip("new.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1").replace(b"avcC", b"xyzC"))
    with pytest.raises(FacewarpError, match=r"no decoder for the video's pictures \(xyz1\)"):
        open_source(path)


@pytest.mark.parametrize(
    ("timecode", "rate", "later"),
    [
        ("01:00:00:00", Fraction(25), "01:00:00:01"),
        ("23:59:59:23", Fraction(24000, 1001), "00:00:00:00"),
        ("00:00:59;29", Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", Fraction(30000, 1001), "00:10:00;00"),
        ("00:10:59;59", Fraction(60000, 1001), "00:11:00;04"),
        ("23:59:59;29", Fraction(30000, 1001), "00:00:00;00"),
    ],
)
def test_timecodes_count_on(timecode, rate, later):
    assert later_timecode(timecode, 1, rate) == later
    assert later_timecode(timecode, 0, rate) == timecode


def test_drop_frame_timecodes_follow_each_other():
    rate = Fraction(30000, 1001)
    one = "00:00:00;00"
    for n in range(17982 + 1798):
        assert later_timecode("00:00:00;00", n, rate) == one
        one = later_timecode(one, 1, rate)
    assert one == "00:10:59;28"


@pytest.mark.parametrize("out", ["out.mov", "out.mp4", "out.mkv"])
@pytest.mark.parametrize(("start", "first"), [(None, "01:00:00:20"), (0.2, "01:00:01:00")])
def test_copies_begin_with_their_first_pictures_timecode(make_flashes, copied, out, start, first):
    told = {"timecode": "01:00:00:20"}
    path = make_flashes("plate.mov", sounds=(), seconds=0.4, metadata=told)
    copied(path, out, start)
    assert open_source(path.parent / out).stream_tags["timecode"] == first


def test_each_frame_has_its_timecode(make_flashes):
    path = make_flashes("plate.mov", sounds=(), seconds=0.4, metadata={"timecode": "01:00:00:20"})
    with open_source(path, 0.12) as source:
        found = [source.timecode_at(frame.index) for frame in source]
    assert found[:3] == ["01:00:00:23", "01:00:00:24", "01:00:01:00"]
    plain = make_flashes("plain.mov", sounds=(), seconds=0.4)
    assert open_source(plain).timecode_at(0) is None


def test_a_timecode_that_does_not_fit_the_rate_is_none(make_flashes, copied):
    for timecode in ("01:00:00:40", "01:00:00;10", "noon"):
        path = make_flashes("odd.mkv", sounds=(), seconds=0.4, metadata={"timecode": timecode})
        assert "timecode" not in open_source(path).stream_tags
        copied(path, "out.mov")
