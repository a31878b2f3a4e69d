"""What is displayed, streamed: received by FFmpeg on this machine, never at the session's cost."""

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from itertools import pairwise

import av
import numpy as np
import pytest
from fixtures.waiting import listens, until

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.stream_output import StreamOutput
from facewarp.live.outputs.stream_process import KEY_EVERY_S
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame

SIZE = (96, 64)
HELD_UP_S = 5.0
"""A call that takes so long waits for the stream; on a busy machine one may take a second."""


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def show(output, seconds, pause=0.04):
    """Present images that get lighter; return how long the slowest call took."""
    began, slowest = time.perf_counter(), 0.0
    while time.perf_counter() - began < seconds:
        value = 40 + 30 * int(time.perf_counter() - began)
        image = np.full((SIZE[1], SIZE[0], 3), value, np.uint8)
        before = time.perf_counter()
        output.present(Frame(image, before, 0), ProcessedFrame(image, [], {}), LiveStats())
        slowest = max(slowest, time.perf_counter() - before)
        time.sleep(pause)
    return slowest


class Receiver:
    """FFmpeg's own reader of a stream, in a thread; ends after some seconds and images."""

    def __init__(self, address, seconds=20, **options):
        self.keys, self.times, self.samples, self.codecs = [], [], 0, []
        self.begun = threading.Event()
        self._args = (address, options, seconds)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        address, options, seconds = self._args
        deadline = float("inf")
        with suppress(av.FFmpegError), av.open(address, options=options, timeout=100) as stream:
            self.codecs = [one.codec_context.name for one in stream.streams]
            for packet in stream.demux():
                if not self.begun.is_set():
                    deadline = time.monotonic() + seconds
                    self.begun.set()
                for frame in packet.decode():
                    if isinstance(frame, av.AudioFrame):
                        self.samples += frame.samples
                    else:
                        self.times.append(float(frame.time))
                        self.keys += [self.times[-1]] if frame.key_frame else []
                if time.monotonic() > deadline and len(self.times) > 5:
                    return


def test_a_file_has_key_frames_every_two_seconds_and_sound(tmp_path, talk):
    path = tmp_path / "show.ts"
    output = StreamOutput(str(path), 25.0, str(talk), lambda: "altered")
    began = time.perf_counter()
    while not output.sent:
        show(output, 0.1)
    assert show(output, 4.5) < HELD_UP_S
    output.close()
    lasted = time.perf_counter() - began
    seen = Receiver(str(path))
    seen.thread.join(60)
    assert sorted(seen.codecs) == ["aac", "h264"]
    assert len(seen.times) == output.sent
    assert np.diff(seen.times).min() > 0
    times = np.array(seen.times)
    for key, after in pairwise([*seen.keys, np.inf]):  # as soon as an image is due
        assert times[times < after][-1] - key < KEY_EVERY_S + 0.01
    length = times[-1] - times[0]
    assert 2 < length <= lasted
    assert len(seen.keys) >= 2
    assert seen.samples / 48_000 == pytest.approx(length, abs=0.5)  # the clip's 0.4 s, repeated
    assert [one.name for one in tmp_path.iterdir()] == ["show.ts"]


@pytest.mark.slow
def test_datagrams_arrive_and_nobody_need_listen():
    port = free_port(socket.SOCK_DGRAM)
    output = StreamOutput(f"udp://127.0.0.1:{port}", 25.0, "silence")
    show(output, 0.5)
    seen = Receiver(f"udp://127.0.0.1:{port}?timeout=3000000")
    while len(seen.times) <= 20:
        assert seen.thread.is_alive()
        show(output, 0.3)
    output.close()
    seen.thread.join(60)
    assert sorted(seen.codecs) == ["aac", "h264"]
    assert output.lost == 0


@pytest.mark.slow
def test_a_server_that_goes_away_is_connected_to_again(caplog):
    port = free_port(socket.SOCK_STREAM)
    address = f"rtmp://127.0.0.1:{port}/live/me"
    first = Receiver(address, seconds=1, listen="1")
    until(lambda: listens(port, socket.SOCK_STREAM))
    output = StreamOutput(address, 25.0, again_s=(0.3,))
    while first.thread.is_alive():
        assert show(output, 0.3) < HELD_UP_S
    assert len(first.times) > 5
    second = Receiver(address, seconds=1, listen="1")
    slowest = 0.0
    while second.thread.is_alive():
        slowest = max(slowest, show(output, 0.3))
    with suppress(FacewarpError):  # gone again
        output.close()
    assert slowest < HELD_UP_S
    assert output.lost >= 1
    assert len(second.times) > 5
    assert second.keys[0] == second.times[0]  # what begins anew can be decoded at once
    assert "the connection is lost" in caplog.text
    assert "connected again" in caplog.text


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("show.mp4", "nothing can be streamed there"),
        ("http://127.0.0.1/x", "nothing can be streamed there"),
        ("rtmp://", "nothing can be streamed there"),
    ],
)
def test_what_is_no_target_is_told_at_once(folder, target, told):
    with pytest.raises(FacewarpError, match=told):
        StreamOutput(target)


def test_where_nobody_answers_the_session_ends_with_a_clear_line(caplog):
    with socket.socket() as taken:  # by one who does not listen
        taken.bind(("127.0.0.1", 0))
        output = StreamOutput(f"rtmp://127.0.0.1:{taken.getsockname()[1]}/live/me")
        with pytest.raises(FacewarpError, match="nobody takes the stream"):
            show(output, 100.0)
        with pytest.raises(FacewarpError, match="nobody takes the stream"):
            output.close()
    assert output.dropped
    assert "too slow" not in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="files are not limited elsewhere")
def test_a_file_that_can_grow_no_more_is_not_taken_for_a_receiver(folder, small_files, caplog):
    with small_files(4_000):  # its process has the limit too
        output = StreamOutput("show.ts")
    with pytest.raises(FacewarpError, match="no space is left to write"):
        show(output, 100.0)
    with pytest.raises(FacewarpError, match=r"show\.ts.*Free some"):
        output.close()
    assert "too slow" not in caplog.text


def test_a_protocol_that_the_build_lacks_is_named():
    output = StreamOutput("srt://127.0.0.1:9?connect_timeout=300")
    with pytest.raises(FacewarpError, match=r"does not speak srt|nobody takes the stream"):
        show(output, 100.0)
    with pytest.raises(FacewarpError):
        output.close()


def test_sound_that_cannot_be_had_is_told_at_once(folder, photo):
    for name in ("gone.mp3", "alsa:no-such-device", str(photo)):
        with pytest.raises(FacewarpError):
            StreamOutput("udp://127.0.0.1:9", sound=name)


def test_a_stream_that_stalls_costs_images_not_time(tmp_path):
    output = StreamOutput(str(tmp_path / "show.ts"), 25.0)
    while not output.sent:
        show(output, 0.2)
    os.kill(output._process.pid, signal.SIGSTOP)
    while output.dropped <= 10:
        assert show(output, 0.2, pause=0.02) < HELD_UP_S
    os.kill(output._process.pid, signal.SIGCONT)
    output.close()
    assert (tmp_path / "show.ts").stat().st_size > 0
