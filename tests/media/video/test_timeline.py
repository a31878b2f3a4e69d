"""One clock for pictures, sound, length, and the first and last second asked for."""

from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.media.sources import open_source, read_video
from facewarp.media.video.timeline import PacketTime, Timeline

VIDEO, SOUND = 0, 1


def packets(*pieces, rate=25.0, length=2.0, skew=0.0):
    """Packets of pictures and sound; each piece of a recording starts at a second of its own."""
    found, position = [], 0
    for start in pieces:
        for number in range(round(length * rate)):
            time = start + number / rate
            for stream in (VIDEO, SOUND):
                at = time - skew * stream
                found.append(PacketTime(position, stream, at, at, 1 / rate, number % 25 == 0))
                position += 100
    return found


@pytest.mark.parametrize("second", [0.0, 3600.0, 95_000.0])
def test_pieces_follow_one_another_wherever_their_clocks_start(second):
    timeline = Timeline(Fraction(5))
    timeline.find_jumps(packets(5.0, 5.0 + second, 5.0), VIDEO)
    assert timeline.duration_s == pytest.approx(6.0)
    assert [at for at, _ in timeline.jumps] == pytest.approx([2.0, 4.0])


def test_a_clock_that_runs_on_is_left_alone():
    timeline = Timeline()
    timeline.find_jumps(packets(0.0, 2.0, 4.5), VIDEO)
    assert not timeline.jumps
    assert timeline.duration_s == pytest.approx(6.5)


def test_pictures_that_pause_while_sound_goes_on_are_no_jump():
    sound = [PacketTime(k, SOUND, k / 10, k / 10, 0.1) for k in range(400)]
    pictures = [PacketTime(k, VIDEO, k / 10, k / 10, 0.1) for k in (*range(20), *range(350, 400))]
    timeline = Timeline()
    timeline.find_jumps(sorted([*sound, *pictures], key=lambda p: p.position), VIDEO)
    assert not timeline.jumps


def test_sound_that_changes_clock_first_follows_the_pictures():
    first = packets(0.0)
    second = [
        PacketTime(p.position + 100_000, p.stream, p.dts, p.pts, p.duration, p.is_key)
        for p in packets(0.0, skew=0.03)
    ]
    second.insert(0, second.pop(1))  # a packet of sound, with the byte of the first picture
    timeline = Timeline()
    timeline.find_jumps([*first, *second], VIDEO)
    assert timeline.duration_s == pytest.approx(4.0)
    assert timeline.key_position(2.5) >= 100_000


@pytest.fixture
def joined(make_flashes):
    def join(*first_seconds, name="joined.ts", **options):
        parts = [
            make_flashes(f"part{number}.ts", first_second=second, **options).read_bytes()
            for number, second in enumerate(first_seconds)
        ]
        path = make_flashes(name).with_name(name)
        path.write_bytes(b"".join(parts))
        return path

    return join


def test_joined_recordings_keep_all_their_sound(joined, measured, copied, caplog):
    path = joined(0, 0)
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert len(after.times) == 100
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.05)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
    assert source.duration_s == pytest.approx(4.0, abs=0.05)
    assert not source.truncated
    assert "damaged" not in caplog.text
    assert source.notes == [source.notes[0]]
    assert "the clock jumps by -2.0 s at 2.0" in source.notes[0]


@pytest.mark.parametrize(
    ("start", "end", "flashes"), [(2.5, None, 1), (0.5, 2.5, 2), (3.2, 3.9, 0)]
)
def test_parts_of_joined_recordings_can_be_asked_for(joined, measured, copied, start, end, flashes):
    path = joined(0, 0)
    whole = [frame.time for frame in read_video(path)]
    source = copied(path, start=start, end=end)
    after = measured(path.parent / "out.mp4")
    wanted = [time for time in whole if time >= start - 1e-6 and (end is None or time < end)]
    assert len(after.times) == len(wanted)
    assert len(after.flashes) == flashes
    if flashes:
        assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
    assert source.frame_count == pytest.approx(len(wanted), abs=2)


@pytest.mark.parametrize("seconds", [(0, 3600), (7200, 10, 3600)])
def test_a_jump_of_the_clock_is_no_freeze(joined, measured, copied, seconds):
    path = joined(*seconds)
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert len(source.notes) == 1
    assert ("times more" in source.notes[0]) == (len(seconds) > 2)
    assert after.flashes == pytest.approx(list(range(2 * len(seconds))), abs=0.06)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)


def test_a_counter_of_33_bits_that_starts_anew(make_flashes, measured, copied):
    wrap = 2**33 / 90_000
    path = make_flashes("wrap.ts", first_second=wrap - 1.52, seconds=4)
    copied(path)
    after = measured(path.parent / "out.mp4")
    assert len(after.times) == 100
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.06)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)


@pytest.mark.parametrize("name", ["late.flv", "late.mkv", "late.ts"])
@pytest.mark.parametrize("out", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("second", [3600, 7])
def test_a_clock_that_starts_late_starts_at_zero(make_flashes, measured, copied, name, out, second):
    path = make_flashes(name, first_second=second)
    source = copied(path, out)
    after = measured(path.parent / out)
    assert after.times[0] < 0.1
    assert len(after.times) == 50
    assert after.flashes == pytest.approx([after.flashes[0], after.flashes[0] + 1], abs=0.01)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
    assert source.duration_s == pytest.approx(2.0, abs=0.1)
    assert not source.truncated
    with av.open(str(path.parent / out)) as container:
        assert container.duration < 2.3e6


@pytest.mark.parametrize("name", ["late.flv", "late.mkv", "late.ts"])
def test_start_and_end_count_from_where_a_file_begins(make_flashes, measured, copied, name):
    path = make_flashes(name, first_second=3600, seconds=4)
    copied(path, start=0.5, end=2.5)
    after = measured(path.parent / "out.mp4")
    assert len(after.times) == pytest.approx(50, abs=1)
    assert after.flashes == pytest.approx([0.5, 1.5], abs=0.06)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)


def test_joined_flash_videos_go_on(make_flashes, measured, copied):
    first = make_flashes("first.flv").read_bytes()
    path = make_flashes("both.flv")
    path.write_bytes(first + path.read_bytes()[13:])  # without its header
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.1)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
    assert source.duration_s == pytest.approx(4.0, abs=0.1)


def test_a_last_picture_is_held_as_long_as_it_was(make_clip, copied):
    path = make_clip("held.gif", codec="gif", pix_fmt="rgb8", frames=9, rate=10)
    data = bytearray(path.read_bytes())
    place = data.rfind(b"\x21\xf9\x04")
    data[place + 4 : place + 6] = (150).to_bytes(2, "little")  # hundredths of a second
    path.write_bytes(data)
    copied(path)
    with av.open(str(path.parent / "out.mp4")) as container:
        stream = container.streams.video[0]
        last = max(
            (packet for packet in container.demux(stream) if packet.size), key=lambda p: p.pts
        )
        assert float(last.duration * last.time_base) == pytest.approx(1.5, abs=0.01)
        assert float(stream.duration * stream.time_base) == pytest.approx(2.3, abs=0.01)
    assert open_source(path.parent / "out.mp4").duration_s == pytest.approx(2.3, abs=0.01)


@pytest.mark.parametrize("second", [1.9, 1.8, 1.2])
def test_a_clock_that_goes_back_by_less_than_a_second_goes_on(joined, measured, copied, second):
    path = joined(0, second)
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.06)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.06)
    assert np.diff(after.times) == pytest.approx(1 / 25, abs=0.002)
    assert source.duration_s == pytest.approx(4.0, abs=0.05)
    assert len(source.notes) == 1
    assert "at 2.0" in source.notes[0]


@pytest.mark.parametrize("late", [0.04, 0.2, 0.9])
def test_a_packet_in_disorder_is_no_jump(late):
    found = packets(0.0)
    odd = found[40]
    found[40] = PacketTime(odd.position, odd.stream, odd.dts - late, odd.pts - late, odd.duration)
    timeline = Timeline()
    timeline.find_jumps(found, VIDEO)
    assert not timeline.jumps


@pytest.mark.parametrize("frames_between_keys", [25, 5])
def test_pictures_before_zero_of_a_matroska_keep_their_place(
    make_flashes, measured, copied, frames_between_keys
):
    path = make_flashes(
        "negative.mkv",
        first_second=-1.2,
        seconds=4,
        b_frames=2,
        options={"g": str(frames_between_keys)},
        container_options={"avoid_negative_ts": "disabled"},
    )
    with av.open(str(path)) as container:
        assert next(container.demux(video=0)).pts is None  # as FFmpeg reads times below 0
    source = copied(path)
    after = measured(path.parent / "out.mp4")
    assert len(after.times) == 100
    assert after.flashes == pytest.approx([0, 1, 2, 3], abs=0.05)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
    assert source.duration_s == pytest.approx(4.0, abs=0.05)
    assert source.frame_count == pytest.approx(100, abs=1)
    assert not source.truncated
    assert "pictures have no times" in source.notes[0]


@pytest.mark.parametrize("start", [0.5, 2.5])
def test_a_part_of_a_matroska_that_begins_before_zero(make_flashes, measured, copied, start):
    path = make_flashes(
        "negative.mkv",
        first_second=-1.2,
        seconds=4,
        b_frames=2,
        container_options={"avoid_negative_ts": "disabled"},
    )
    copied(path, start=start)
    after = measured(path.parent / "out.mp4")
    assert len(after.times) == int((4 - start) * 25)
    assert after.flashes[0] == pytest.approx(0.5, abs=0.05)
    assert after.beeps[0] == pytest.approx(after.flashes, abs=0.05)
