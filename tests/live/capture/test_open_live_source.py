"""Files at camera pace, sequences of pictures, and streams from a server on this machine."""

import base64
import logging
import socket
import struct
import threading
import time
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import cv2
import numpy as np
import PIL.Image
import pytest

import facewarp.live.capture.stream_source as module
from facewarp.errors import FacewarpError
from facewarp.live.capture.open_live_source import find_file_source
from facewarp.live.capture.paced_source import PlayedSource
from facewarp.live.capture.stream_source import StreamSource, shown_address
from facewarp.live.interfaces import CapturedFrame, ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.timing import LiveStats
from facewarp.media.sources import open_source
from facewarp.media.video.reader import VideoSource

FOR_THE_WEB = {"movflags": "+faststart"}


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


# --- files at camera pace


def test_frames_of_a_file_come_out_when_they_are_due(make_clip):
    path = make_clip(ticks=[0, 1, 2, 8, 9], rate=25)
    source = PlayedSource(open_source(path))
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(5))
    assert all(isinstance(frame, CapturedFrame) for frame in frames)
    for frame in frames:
        due = frames[0].captured + frame.time - frames[0].time
        assert frame.captured >= due - 0.001  # never before its time
    assert source.is_live


def test_unpaced_frames_are_those_of_the_file(make_clip):
    path = make_clip(frames=10)
    source = PlayedSource(open_source(path), paced=False)
    played, read = list(source), list(open_source(path))
    assert [frame.time for frame in played] == [frame.time for frame in read]
    assert not source.is_live
    assert (source.size, source.fps, source.frame_count) == ((64, 48), 25.0, 10)


def test_a_repeated_file_goes_on_in_time(make_clip):
    source = PlayedSource(open_source(make_clip(frames=4)), paced=False, repeat=True)
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 11:
            break
    source.close()
    assert [frame.index for frame in frames] == list(range(11))
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(11)])
    assert np.array_equal(frames[0].image, frames[8].image)
    assert source.frame_count is None


def test_waiting_for_a_frame_ends_when_it_is_closed(make_clip):
    source = PlayedSource(open_source(make_clip(ticks=[0, 25 * 3600], rate=25)))
    frames = []
    for frame in source:
        frames.append(frame)
        threading.Timer(0.2, source.close).start()
    assert len(frames) == 1


def test_a_slow_viewer_of_a_file_at_camera_pace_drops_frames(make_clip):
    stats = LiveStats()

    def slow(frame):
        time.sleep(0.1)
        return ProcessedFrame(frame.image, [], {})

    source = PlayedSource(open_source(make_clip(frames=25)))
    report = LiveLoop(source, slow, [], stats).run().summary
    assert report["captured"] == 25
    assert report["presented"] + report["dropped"] == 25
    assert report["dropped"] >= 10


def test_a_cut_file_is_played_as_far_as_it_goes(make_clip, caplog):
    path = make_clip(frames=50, container_options=FOR_THE_WEB, options={"g": "5", "crf": "5"})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.7 * len(whole))])
    source = PlayedSource(open_source(path), paced=False)
    count = len(list(source))
    assert 5 < count < 50
    assert source.truncated
    assert "cut short" in caplog.text


# --- pictures


@pytest.fixture
def shots(tmp_path, picture):
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in (1, 2, 10, 11):
        PIL.Image.fromarray(picture((64, 48), number)).save(folder / f"s_{number:04d}.png")
    PIL.Image.fromarray(picture((64, 48), 99)).save(folder / "other.png")
    (folder / "s_0003.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("s_%04d.png", [1, 2, 10, 11]),
        ("s_%d.png", [1, 2, 10, 11]),
        ("s_*.png", [1, 2, 10, 11]),
        ("s_00?1.png", [1, 11]),
        ("s_[0-9]*2.png", [2]),
    ],
)
def test_a_pattern_stands_for_a_sequence(shots, picture, pattern, numbers):
    source = open_source(shots / pattern)
    frames = list(source)
    assert source.kind == "folder"
    for frame, number in zip(frames, numbers, strict=True):
        assert np.array_equal(frame.image, picture((64, 48), number))


def test_a_file_that_looks_like_a_pattern_is_a_file(shots, picture):
    PIL.Image.fromarray(picture((64, 48), 50)).save(shots / "odd[1].png")
    assert open_source(shots / "odd[1].png").kind == "image"


@pytest.mark.parametrize("pattern", ["t_%04d.png", "*.webp", "none/%d.png"])
def test_a_pattern_that_nothing_fits_is_told(shots, pattern):
    with pytest.raises(FacewarpError, match=r"no pictures have such names|can't be read"):
        open_source(shots / pattern)


def test_pictures_are_played_at_the_rate_asked_for(shots):
    source = find_file_source(str(shots / "s_*.png"), fps=50)()
    assert [frame.time for frame in source] == pytest.approx([0, 0.02, 0.04, 0.06])
    assert source.rate == Fraction(50)


def test_a_video_keeps_its_own_rate(make_clip):
    with pytest.raises(FacewarpError, match="its own frames a second"):
        find_file_source(str(make_clip()), fps=50)


# --- streams


class Server:
    """Answers to paths, on this machine; counts who came."""

    def __init__(self):
        self.paths, self.visits = {}, []
        self.over = threading.Event()
        handler = partial(Handler, self)
        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.httpd.daemon_threads = False  # closing waits for those that still answer
        self.thread = threading.Thread(target=self.httpd.serve_forever, args=(0.05,))
        self.thread.start()

    def url(self, path, login=""):
        return f"http://{login}127.0.0.1:{self.httpd.server_port}{path}"

    def close(self):
        self.over.set()
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, server, *arguments):
        self.owner = server
        super().__init__(*arguments)

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.owner.visits.append(path)
        answer = self.owner.paths.get(path)
        try:
            if answer is None:
                self.send_error(404)
            elif isinstance(answer, bytes):
                self.send_file(answer)
            else:
                answer(self)
        except OSError:
            pass  # the visitor has gone

    def send_file(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_pictures(self, pictures, rate, cut=()):
        """Motion JPEG, as network cameras send it; of some pictures half."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number, picture in enumerate(pictures):
            _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            jpeg = jpeg[: len(jpeg) // 2] if number in cut else jpeg
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
            if self.owner.over.wait(1 / rate):
                return


@pytest.fixture
def server():
    own = Server()
    yield own
    own.close()


@pytest.fixture
def camera(server, picture):
    """A camera's address; it sends 8 pictures a visit, the visit in their brightness."""

    def answer(handler):
        visit = server.visits.count("/camera")
        handler.send_pictures([picture((64, 48), 40 * (visit - 1) + k) for k in range(8)], 40)

    server.paths["/camera"] = answer
    return server.url("/camera")


def test_a_video_on_a_server_is_read_like_a_file(server, make_clip):
    path = make_clip(frames=20, turn=90, container_options=FOR_THE_WEB)
    server.paths["/clip.mp4"] = path.read_bytes()
    source = StreamSource(server.url("/clip.mp4"))
    assert not source.is_live
    assert source.size == (48, 64)
    assert source.duration_s == pytest.approx(0.8)
    here, there = list(open_source(path)), list(source)
    assert [frame.time for frame in there] == pytest.approx([frame.time for frame in here])
    assert [frame.index for frame in there] == list(range(20))
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.image, other.image)
    assert source.exhausted
    assert len(list(source)) == 20  # and again
    source.close()


@pytest.fixture
def half_a_file(server, make_clip):
    """An address whose file breaks off half way: its server closes, or sends nothing more."""

    def serve(*, stalls):
        content = make_clip(
            frames=100, size=(320, 240), container_options=FOR_THE_WEB, options={"crf": "1"}
        ).read_bytes()

        def answer(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[: len(content) // 2])
            if stalls:
                server.over.wait(20)

        server.paths["/half.mp4"] = answer
        return server.url("/half.mp4")

    return serve


@pytest.mark.parametrize("stalls", [False, True])
def test_a_file_that_breaks_off_on_its_way_is_told(half_a_file, stalls, caplog):
    source = StreamSource(half_a_file(stalls=stalls), timeout_s=(3.0, 0.5))
    count = len(list(source))
    assert 20 < count < 80
    assert source.truncated
    assert source.notes == [caplog.messages[0].partition(": ")[2]]
    assert f"broke off: {count} frames came" in caplog.text
    assert "of 4.0 s" in caplog.text


def test_a_file_played_at_camera_pace_tells_that_it_broke_off(half_a_file):
    source = find_file_source(half_a_file(stalls=False), realtime=True)()
    assert 20 < len(list(source)) < 80
    assert source.truncated
    assert "broke off" in source.notes[0]


def test_a_whole_file_is_not_called_broken(server, make_clip):
    path = make_clip(frames=10, container_options=FOR_THE_WEB)
    server.paths["/clip.mp4"] = path.read_bytes()
    source = StreamSource(server.url("/clip.mp4"))
    list(source)
    assert (source.truncated, source.notes) == (False, [])


def test_a_video_on_a_server_can_be_played_at_camera_pace(server, make_clip):
    server.paths["/clip.mp4"] = make_clip(frames=10, container_options=FOR_THE_WEB).read_bytes()
    source = find_file_source(server.url("/clip.mp4"), realtime=True)()
    assert source.is_live
    frames = list(source)
    assert frames[-1].captured - frames[0].captured >= frames[-1].time - 0.001
    source.close()


def test_pictures_of_a_network_camera_have_the_times_they_came(camera, colors_of, picture):
    source = StreamSource(camera)
    assert source.is_live
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 6:
            source.close()
    assert [frame.index for frame in frames] == list(range(6))
    assert frames[0].time == 0
    for earlier, later in pairwise(frames):
        assert later.time - earlier.time == pytest.approx(later.captured - earlier.captured)
    for number, frame in enumerate(frames):
        expected = colors_of(picture((64, 48), number))
        assert np.abs(colors_of(frame.image) - expected).max() < 12


def test_a_stream_that_breaks_off_is_connected_anew(camera, server, monkeypatch, caplog):
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    source = StreamSource(camera)
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 14:
            source.close()
    assert server.visits.count("/camera") == 2
    assert [frame.index for frame in frames] == list(range(14))
    assert all(earlier.time < later.time for earlier, later in pairwise(frames))
    assert ["broke off" in message for message in caplog.messages] == [True, False]
    assert "pictures come again" in caplog.messages[1]


def test_half_a_picture_of_a_camera_is_left_out(server, picture, colors_of):
    def answer(handler):
        whole = picture((160, 120), 3)
        handler.send_pictures([whole] * 12, 60, cut={2, 3, 7})
        server.over.wait(20)

    server.paths["/worn"] = answer
    source = StreamSource(server.url("/worn"))
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 6:
            source.close()
    expected = colors_of(picture((160, 120), 3))
    assert all(np.abs(colors_of(frame.image) - expected).max() < 12 for frame in frames)


def test_viewers_are_told_while_a_stream_is_away(camera, server, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    stats, notices = LiveStats(), set()

    class Viewer:
        def present(self, frame, made, stats):
            server.paths.pop("/camera", None)  # for the next visit

        def idle(self, stats):
            notices.add(stats.notice)
            if len(notices - {None}) == 1:
                loop.stop()

        def close(self):
            pass

    source = StreamSource(camera)
    loop = LiveLoop(source, lambda frame: ProcessedFrame(frame.image, [], {}), [Viewer()], stats)
    assert loop.run().stopped
    assert notices - {None} == {"stream lost, connecting again"}


def test_a_stream_that_stalls_counts_as_broken_off(server, picture, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)

    def stall(handler):
        handler.send_pictures([picture((64, 48))] * 8, 200)
        server.over.wait(20)

    server.paths["/stall"] = stall
    source = StreamSource(server.url("/stall"), timeout_s=(3.0, 0.5))
    frames = []
    for frame in source:
        frames.append(frame)
        if server.visits.count("/stall") == 2:
            source.close()
    assert len(frames) >= 5


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/gone", "nothing at this address"),
        ("/text", "not a video"),
        ("/locked", "wants a name and a password"),
        ("/empty", "not a video"),
    ],
)
def test_what_cannot_be_read_from_a_server_is_told(server, path, told):
    server.paths["/text"] = b"<html>" * 2000
    server.paths["/empty"] = b""
    server.paths["/locked"] = lambda handler: handler.send_error(401)
    with pytest.raises(FacewarpError, match=told):
        StreamSource(server.url(path))


def test_an_address_where_nothing_answers_is_told():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        with pytest.raises(FacewarpError, match="connection refused"):
            StreamSource(f"rtsp://127.0.0.1:{port}/stream")


def test_a_server_that_says_nothing_is_not_waited_for_long():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(FacewarpError, match=r"no answer within 0.5 s"):
            StreamSource(f"http://127.0.0.1:{port}/x", timeout_s=(0.5, 0.5))


def test_a_playlist_cannot_make_it_read_local_files(server, make_clip):
    path = make_clip("secret.ts", container_format="mpegts")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", path.as_uri(), "#EXT-X-ENDLIST"]
    server.paths["/list.m3u8"] = "\n".join(lines).encode()
    with pytest.raises(FacewarpError):
        StreamSource(server.url("/list.m3u8"))


def test_names_and_passwords_are_used_but_never_shown(server, make_clip, caplog):
    caplog.set_level(logging.DEBUG)
    seen, content = [], make_clip(container_options=FOR_THE_WEB).read_bytes()

    def locked(handler):
        seen.append(handler.headers.get("Authorization"))
        if seen[-1]:
            handler.send_file(content)
        else:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.end_headers()

    server.paths["/locked"] = locked
    source = StreamSource(server.url("/locked?key=hidden", "eve:s3cret@"))
    assert base64.b64decode(seen[-1].split()[1]) == b"eve:s3cret"
    assert source.name == server.url("/locked")
    source.close()
    with pytest.raises(FacewarpError) as error:
        StreamSource(server.url("/none?key=hidden", "eve:s3cret@"))
    told = f"{error.value} {caplog.text} {source.path}"
    assert "s3cret" not in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:pw@10.0.0.2:554/live?token=1", "rtsp://10.0.0.2:554/live"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("udp://@:1234", "udp://:1234"),
    ],
)
def test_an_address_is_shown_without_secrets(address, shown):
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("foo://host/x", "no way to open foo://"),
        ("file:///etc/passwd", "no way to open file://"),
        ("http://", "names no host"),
        ("rtsp://host:port/x", "not an address"),
        ("http://[::1/x", "not an address"),
    ],
)
def test_a_bad_address_is_told_before_anything_is_connected(address, told):
    with pytest.raises(FacewarpError, match=told):
        find_file_source(address)


class RTSPServer:
    """One visitor of an RTSP camera: MPEG-TS over RTP, interleaved in the same connection."""

    def __init__(self, stream, seconds=None, visits=1):
        self.stream, self.asked, self.visits = stream, [], visits
        length = "" if seconds is None else f"a=range:npt=0-{seconds}\r\n"
        self.sdp = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
            f"{length}m=video 0 RTP/AVP 33\r\n"
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        for _ in range(self.visits):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                try:
                    while self.answer(lines):
                        pass
                except OSError:
                    pass

    def answer(self, lines):
        words = lines.readline().decode().split()
        if not words:
            return False
        head = {}
        while line := lines.readline().decode().strip():
            name, _, value = line.partition(":")
            head[name.strip().lower()] = value.strip()
        self.asked.append(words[0])
        more, body = "", ""
        if words[0] == "DESCRIBE":
            body = self.sdp
            more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif words[0] == "SETUP":
            more = f"Transport: {head['transport']}\r\n"
        elif words[0] == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        start = f"RTSP/1.0 200 OK\r\nCSeq: {head['cseq']}\r\nSession: 1\r\n"
        lines.write(f"{start}{more}\r\n{body}".encode())
        lines.flush()
        if words[0] == "PLAY":
            for number in range(0, len(self.stream), 7 * 188):
                piece = self.stream[number : number + 7 * 188]
                count = number // (7 * 188)
                rtp = struct.pack(">BBHII", 0x80, 33, count & 0xFFFF, 3000 * count, 1) + piece
                lines.write(b"$\0" + struct.pack(">H", len(rtp)) + rtp)
                lines.flush()
            return False
        return words[0] != "TEARDOWN"

    def close(self):
        self.listener.close()
        self.thread.join()


def test_an_rtsp_camera_is_read(make_clip, colors_of, picture, monkeypatch):
    clip = make_clip(
        "clip.ts", frames=40, container_format="mpegts", options={"tune": "zerolatency"}
    )
    camera = RTSPServer(clip.read_bytes())
    source = StreamSource(f"rtsp://127.0.0.1:{camera.port}/live")
    assert source.is_live
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 25:
            source.close()
    camera.close()
    assert camera.asked[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert np.abs(colors_of(frames[0].image) - colors_of(picture((64, 48), 0))).max() < 12
    assert frames[0].image.shape == (48, 64, 3)


@pytest.fixture
def recorder(make_clip):
    """A network recorder that plays a file of 1.6 s, which it says lasts longer or not."""
    made = []

    def make(seconds, visits):
        clip = make_clip(
            "clip.ts", frames=40, container_format="mpegts", options={"tune": "zerolatency"}
        )
        made.append(RTSPServer(clip.read_bytes(), seconds, visits))
        return made[-1], f"rtsp://127.0.0.1:{made[-1].port}/playback"

    yield make
    for server in made:
        server.close()


def test_a_recorder_that_breaks_off_is_connected_anew(recorder, monkeypatch, caplog):
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    server, address = recorder(60, visits=2)
    source = StreamSource(address)
    assert source.is_live
    for count, _ in enumerate(source, 1):
        if count == 50:  # more than one visit brings
            source.close()
    assert server.asked.count("PLAY") == 2
    assert "connecting again" in caplog.text


def test_a_recording_played_to_its_end_is_over(recorder, caplog):
    server, address = recorder(1.6, visits=1)
    source = StreamSource(address)
    assert 30 < len(list(source)) <= 40
    assert server.asked.count("PLAY") == 1
    assert source.exhausted
    assert "connecting again" not in caplog.text


def test_at_camera_pace_only_a_few_frames_are_decoded_ahead(make_clip, monkeypatch):
    decoded = []
    read = VideoSource._read

    def counted(self):
        for frame in read(self):
            decoded.append(frame.index)
            yield frame

    monkeypatch.setattr(VideoSource, "_read", counted)
    source = find_file_source(str(make_clip(frames=40)), realtime=True)()
    frames = iter(source)
    next(frames)
    time.sleep(0.3)
    assert len(decoded) <= 7
    source.close()
    frames.close()
