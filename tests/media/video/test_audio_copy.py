"""Sound never costs the work, and is never lost silently."""

import av
import pytest

from facewarp.media.sources import open_source
from tests.fixtures.edits import set_edits

STEREO_PCM = ({"codec": "pcm_s16le"},)


def unknown_second_track(path):
    """The second sound track of an MP4 gets a code no decoder is known for."""
    data = bytearray(path.read_bytes())
    place = data.rfind(b"mp4a")
    data[place : place + 4] = b"apac"
    place = data.rfind(b"esds")
    data[place : place + 4] = b"dapa"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.audio[1].codec_context is None


@pytest.mark.parametrize("out", ["out.mp4", "out.mov", "out.mkv"])
def test_a_track_without_a_decoder_is_left_out_by_name(make_flashes, measured, copied, out, caplog):
    path = make_flashes("phone.mp4", sounds=({"codec": "aac"}, {"codec": "aac"}))
    unknown_second_track(path)
    source = copied(path, out)
    after = measured(path.parent / out)
    assert (after.count, after.codecs) == (1, ["aac"])
    assert after.beeps[0] == pytest.approx([0, 1], abs=0.03)
    assert len(source.notes) == 1
    assert "left out sound track 2: there is no decoder for ap" in source.notes[0]
    assert "apac" in caplog.text


def test_no_track_has_a_decoder(make_flashes, measured, copied):
    path = make_flashes("phone.mp4", sounds=({"codec": "aac"}, {"codec": "aac"}))
    unknown_second_track(path)
    data = path.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"dapa")
    path.write_bytes(data)
    copied(path)
    assert measured(path.parent / "out.mp4").count == 0


def test_stereo_pcm_of_an_avi_becomes_aac_in_mp4(make_flashes, measured, copied):
    path = make_flashes("camera.avi", codec="mjpeg", pix_fmt="yuvj420p", sounds=STEREO_PCM)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"  # no layout is told
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert after.codecs == ["aac"]
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.03)
    assert len(after.flashes) == 2
    assert source.notes == [
        "sound track 1 (pcm_s16le) becomes AAC: few players play it from .mp4; "
        "write to .mov or .mkv to keep it"
    ]


@pytest.mark.parametrize("out", ["out.mov", "out.mkv"])
def test_stereo_pcm_of_an_avi_is_copied_where_it_is_played(make_flashes, measured, copied, out):
    path = make_flashes("camera.avi", codec="mjpeg", pix_fmt="yuvj420p", sounds=STEREO_PCM)
    source = copied(path, out)
    after = measured(path.parent / out)
    assert after.codecs == ["pcm_s16le"]
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.03)
    assert source.notes == []


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("w.wmv", {"codec": "wmav2"}),
        ("ms.avi", {"codec": "adpcm_ms"}),
        ("ima.avi", {"codec": "adpcm_ima_wav"}),
        ("u8.avi", {"codec": "pcm_u8", "layout": "mono"}),
        ("alaw.avi", {"codec": "pcm_alaw", "layout": "mono", "rate": 8000}),
        ("mulaw.mov", {"codec": "pcm_mulaw"}),
        ("flac.mkv", {"codec": "flac"}),
    ],
)
def test_sound_mp4_can_not_hold_becomes_aac(make_flashes, measured, copied, name, sound):
    codec = {"wmv": "wmv2", "avi": "mpeg4"}.get(name[-3:], "libx264")
    path = make_flashes(name, codec=codec, sounds=(sound,))
    before = measured(path)
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    if sound["codec"] != "flac":  # which MP4 holds
        assert after.codecs == ["aac"]
        assert "becomes AAC" in " ".join(source.notes)
    assert len(after.beeps[0]) == 2
    lag = before.flashes[0] - after.flashes[0]
    assert after.beeps[0] == pytest.approx([b - lag for b in before.beeps[0]], abs=0.04)


def test_latm_of_a_broadcast_becomes_plain_aac(make_flashes, measured, copied):
    path = make_flashes("dvb.ts", container_options={"mpegts_flags": "latm"})
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac_latm"
    copied(path)
    after = measured(path.parent / "out.mp4")
    assert after.codecs == ["aac"]
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)


@pytest.mark.parametrize(
    ("audio", "out", "codecs"),
    [
        ("copy", "out.mkv", ["ac3"]),
        ("convert", "out.mkv", ["aac"]),
        ("convert", "out.mp4", ["aac"]),
        ("convert", "out.webm", ["opus"]),
        ("none", "out.mkv", []),
    ],
)
def test_sound_can_be_converted_or_left_out(make_flashes, measured, copied, audio, out, codecs):
    path = make_flashes("clip.mkv", sounds=({"codec": "ac3"},))
    copied(path, out, audio=audio)
    after = measured(path.parent / out)
    assert after.codecs == codecs
    if codecs:
        assert after.beeps[0] == pytest.approx(after.flashes, abs=0.04)


def test_converting_leaves_alone_what_needs_none(make_flashes, contents, copied):
    path = make_flashes()
    copied(path, audio="convert")
    assert contents(path.parent / "out.mp4").sound == contents(path).sound


def test_converted_sound_keeps_in_step_within_a_part(make_flashes, measured, copied):
    path = make_flashes("camera.mkv", codec="mpeg4", sounds=STEREO_PCM, seconds=4)
    copied(path, start=0.48, end=3.5)
    after = measured(path.parent / "out.mp4")
    assert after.flashes == pytest.approx([0.52, 1.52, 2.52], abs=0.001)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.04)


def test_six_channels_stay_six(make_flashes, copied):
    path = make_flashes("surround.mkv", sounds=({"codec": "pcm_s16le", "layout": "5.1"},))
    copied(path)
    with av.open(str(path.parent / "out.mp4")) as container:
        assert container.streams.audio[0].layout.nb_channels == 6


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
@pytest.mark.parametrize("out", ["out.mp4", "out.mov", "out.mkv"])
def test_default_titles_languages_and_file_tags_stay(make_flashes, measured, copied, name, out):
    told = {"title": "Holiday", "creation_time": "2020-01-02T03:04:05.000000Z"}
    sounds = (
        {"codec": "aac", "title": "Game", "language": "eng"},
        {"codec": "aac", "title": "Mic", "language": "deu", "disposition": 1},
        {"codec": "aac", "title": "Director", "disposition": 8},
    )
    path = make_flashes(name, sounds=sounds, metadata=told)
    copied(path, out)
    after = measured(path.parent / out)
    assert after.defaults == [False, True, False]
    assert after.titles == ["Game", "Mic", "Director"]
    assert after.languages[:2] == ["eng", "ger" if out == "out.mov" else "deu"]
    assert after.metadata["title"] == "Holiday"
    assert after.metadata["creation_time"].startswith("2020-01-02T03:04:05")


def test_a_clip_without_sound_needs_no_word(make_flashes, copied):
    source = copied(make_flashes(sounds=()))
    assert source.notes == []
    assert not open_source(source.path).has_audio


def test_damaged_sound_that_is_converted_costs_its_moment_only(
    make_flashes, measured, copied, caplog
):
    path = make_flashes("noise.mkv", sounds=({"codec": "ac3"},), seconds=4)
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]
    data = path.read_bytes()
    for packet in packets[40:46]:  # at 1.3 s
        data = data.replace(packet, bytes([0x55]) * len(packet))
    path.write_bytes(data)
    copied(path, audio="convert")
    after = measured(path.parent / "out.mp4")
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.03)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)
    assert "damaged pieces of the sound" in caplog.text


CUT = ((1.5, 0.7), (1.2, 2.3), (0.7, 0.5))  # seconds shown, and where they begin


@pytest.mark.parametrize("out", ["out.mp4", "out.mov", "out.mkv"])
def test_sound_that_an_edit_cut_out_does_not_come_back(make_flashes, measured, copied, out):
    path = make_flashes("cut.mp4", seconds=4.0, sounds=({"codec": "aac"},))
    set_edits(path, {"vide": CUT, "soun": CUT})
    source = copied(path, out)
    told, after = measured(path), measured(path.parent / out)
    assert after.flashes == pytest.approx(told.flashes, abs=0.002)
    assert len(after.beeps[0]) == len(told.beeps[0])
    assert after.beeps[0] == pytest.approx(told.beeps[0], abs=0.03)
    assert source.duration_s == pytest.approx(sum(seconds for seconds, _ in CUT), abs=0.05)


def test_sound_that_sets_in_late_brings_no_more_than_it_needs(make_flashes, copied, contents):
    path = make_flashes("late.mp4", seconds=4.0, sounds=({"codec": "aac"},))
    set_edits(path, {"vide": [(3.0, 0.0)], "soun": [(1.5, None), (1.2, 2.3)]})
    copied(path)
    times = contents(path.parent / "out.mp4").sound_times
    assert times[0] == pytest.approx(1.5, abs=0.05)
    assert times[-1] == pytest.approx(2.7, abs=0.05)
