"""``facewarp live`` and ``facewarp cameras``: what can be asked for, what comes, how it ends."""

import itertools
import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import PIL.Image
import pytest
from fixtures.waiting import listens, until
from typer.testing import CliRunner

import facewarp.live.capture.camera_source as camera_source
import facewarp.live.capture.open_live_source as open_live_source
from facewarp.cli import doctor
from facewarp.cli.app import app, load_command
from facewarp.cli.faces import live_session
from facewarp.errors import FacewarpError
from facewarp.face.tracking.record import record_of
from facewarp.live.capture.camera import Camera, Given, Mode
from facewarp.live.capture.camera_list import all_given, remember_given
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.stream_output import StreamOutput
from facewarp.media.sources import read_video

RECEIVE = """
import av, json, sys, time
print("ready", flush=True)
kinds, frames, samples = [], 0, 0
with av.open(sys.argv[1], options=json.loads(sys.argv[2]), timeout=40) as stream:
    kinds = [one.codec_context.name for one in stream.streams]
    for packet in stream.demux():
        for frame in packet.decode():
            frames += isinstance(frame, av.VideoFrame)
            samples += getattr(frame, "samples", 0)
        if frames >= 10 and samples:
            break
print(json.dumps([kinds, frames, samples]))
"""


def run(*words):
    return CliRunner().invoke(app, ["live", *map(str, words)])


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class StandIn:
    """A look that finds one face in every frame and draws a darker picture."""

    made = ()
    note = None
    before = staticmethod(lambda: None)
    """What comes before each frame."""

    def warm_up(self, size):
        self.warm = size

    def __init__(self, options, pause=0.0):
        self.options, self.pause, self.closed = options, pause, False

    def __call__(self, frame):
        self.before()
        time.sleep(self.pause)
        height, width = frame.image.shape[:2]
        face = SimpleNamespace(
            id=0, state="tracking", confidence=0.9, box=(1.0, 2.0, width - 1.0, height - 2.0),
            landmarks=np.full((68, 2), 7.0), folds_percent=0.0,
        )  # fmt: skip
        seconds = {"detect": 0.001, "register": 0.002, "render": 0.003}
        return ProcessedFrame(frame.image // 2, [record_of(frame, face)], seconds, [face])

    def __enter__(self):
        return self

    def __exit__(self, *trace):
        self.closed = True


@pytest.fixture
def looks(monkeypatch):
    """Stand-ins instead of models, in the order they are made."""
    made = []

    def make(options):
        made.append(StandIn(options))
        return made[-1]

    monkeypatch.setattr(live_session, "_make_pipeline", make)
    return made


@pytest.fixture
def no_cameras(monkeypatch, tmp_path):
    """A machine without cameras and without display."""
    monkeypatch.setattr(camera_source, "list_cameras", lambda **options: [])
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


# --- what comes out


@pytest.mark.parametrize(("words", "details"), [((), True), (("--details", "off"), False)])
def test_details_are_looked_at_unless_told_not_to(talk, folder, monkeypatch, words, details):
    given = {}

    def make(tracking, choice, **options):
        given.update(vars(tracking))
        raise FacewarpError("this is far enough")

    monkeypatch.setattr("facewarp.live.face_pipeline.FacePipeline", make)
    result = run("--source", talk, "--headless", *words)
    assert "far enough" in result.stderr
    assert given["details"] is details
    assert given["occlusion"] is given["photometric"] is True


def test_every_frame_of_a_file_is_worked_on_and_accounted_for(talk, looks, folder):
    words = ["--source", talk, "--headless", "--record", "out.mp4", "--stats", "times.jsonl"]
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    account = json.loads(result.stdout)
    assert (account["presented"], account["captured"], account["dropped"]) == (10, 10, 0)
    assert account["recordings"] == [{"file": "out.mp4", "frames": 10, "missed": 0}]
    assert account["stats"] == {"file": "times.jsonl", "frames": 10}
    assert account["p50_ms"]["register"] == pytest.approx(2, rel=0.01)
    assert account["p95_ms"]["age"] >= account["p50_ms"]["age"] > 0
    assert account["memory_mb"]["start"] is None or account["memory_mb"]["end"] > 10
    assert not account["stopped"]
    lines = [json.loads(line) for line in Path("times.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(10))
    for line in lines:
        stamps = [line[f"{name}_s"] for name in ("captured", "started", "finished", "presented")]
        assert stamps == sorted(stamps)
        assert line["age_s"] == pytest.approx(stamps[3] - stamps[0], abs=2e-6)
        assert (line["detect_s"], line["register_s"], line["render_s"]) == (0.001, 0.002, 0.003)
    before, after = list(read_video(talk)), list(read_video("out.mp4"))
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before])
    assert abs(after[3].image.mean() - before[3].image.mean() / 2) < 2
    assert looks[0].closed
    assert sorted(os.listdir()) == ["out.mp4", "times.jsonl"]


# --- streams, received by FFmpeg's own readers


def test_a_stream_into_a_file_has_the_pictures_and_the_sound(talk, looks, folder, monkeypatch):
    present, outputs, worked = StreamOutput.present, [], itertools.count()
    monkeypatch.setattr(
        StreamOutput, "present", lambda self, *shown: (outputs.append(self), present(self, *shown))
    )

    def wait():  # until its process has taken what was worked on before
        count = next(worked)
        until(lambda: count == 0 or (outputs and outputs[0].sent >= count))

    monkeypatch.setattr(StandIn, "before", staticmethod(wait))
    words = ("--source", talk, "--realtime", "--repeat", "--frames", "20", "--headless")
    result = run(*words, "--output", "show.ts", "--audio-source", talk)
    assert result.exit_code == 0, result.output
    assert "streaming to show.ts" in result.output
    with av.open("show.ts") as show:
        assert show.format.name == "mpegts"
        picture, sound = show.streams.video[0], show.streams.audio[0]
        assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        frames = [frame.to_ndarray(format="rgb24") for frame in show.decode(picture)]
    assert len(frames) > 10
    first = next(iter(read_video(talk))).image
    assert frames[0].shape == first.shape
    assert abs(frames[0].mean() - first.mean() / 2) < 4  # what the look drew, not what came in
    assert os.listdir() == ["show.ts"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "kind", "options"),
    [
        ("udp://127.0.0.1:{}", socket.SOCK_DGRAM, {}),
        ("rtmp://127.0.0.1:{}/live/me", socket.SOCK_STREAM, {"listen": "1"}),
    ],
)
def test_a_stream_reaches_who_listens_with_its_sound(
    talk, looks, folder, monkeypatch, address, kind, options
):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        address = address.format(port)
    seen = subprocess.Popen(
        [sys.executable, "-c", RECEIVE, address, json.dumps(options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert seen.stdout.readline() == "ready\n"
    until(lambda: listens(port, kind))

    def stop():
        if seen.poll() is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(StandIn, "before", staticmethod(stop))
    words = ("--source", talk, "--realtime", "--repeat", "--seconds", "120", "--headless")
    result = run(*words, "--output", address, "--audio-source", "silence")
    told, complaint = seen.communicate(timeout=60)
    assert seen.returncode == 0, complaint
    assert result.exit_code in (130, 1), result.output  # the reader had seen enough and left
    codecs, frames, samples = json.loads(told)
    assert sorted(codecs) == ["aac", "h264"]
    assert frames >= 10
    assert samples > 0


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_token_of_ones_own_is_taken_and_must_be_long(looks, folder, monkeypatch, by):
    pytest.importorskip("aiortc")
    words = ("--web", "--port", "0")
    if by == "option":
        words = (*words, "--token", "short")
    else:
        monkeypatch.setenv("FACEWARP_TOKEN", "short")
    result = run(*words)
    assert result.exit_code == 1
    assert "at least 16" in f"{result.exception} {result.output}"


def test_a_protocol_that_is_missing_comes_with_what_to_do(talk, looks, folder):
    probe = subprocess.run(
        [sys.executable, "-c", "import av; av.open('srt://127.0.0.1:9?timeout=1000')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ProtocolNotFound" not in probe.stderr:
        pytest.skip("this build of PyAV speaks SRT")
    result = run("--source", talk, "--repeat", "--headless", "--output", "srt://127.0.0.1:9")
    assert result.exit_code == 1
    told = " ".join(f"{result.exception} {result.output}".split())
    assert "does not speak srt" in told
    assert "rtmp://" in told or "udp://" in told
    assert os.listdir() == []


@pytest.fixture
def half_a_clip(make_clip, folder):
    """The address of a video of which the server sends a part, under the length of the whole."""
    content = make_clip(
        frames=50, options={"g": "5", "crf": "5"}, container_options={"movflags": "+faststart"}
    ).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4"
        server.shutdown()
        thread.join()


def test_a_stream_that_breaks_off_fails_the_command_and_keeps_the_recording(half_a_clip, looks):
    result = run("--source", half_a_clip, "--headless", "--record", "out.mp4", "--json")
    account = json.loads(result.stdout)
    assert result.exit_code == 1
    assert "the stream broke off before its end" in f"{result.exception} {result.stderr}"
    assert account["truncated"]
    assert not account["stopped"]
    assert "broke off" in account["notes"][0]
    assert len(list(read_video("out.mp4"))) == account["presented"] > 3


def test_everything_is_warm_before_the_source_is_opened(talk, looks, folder, monkeypatch):
    order = []
    monkeypatch.setattr(StandIn, "warm_up", lambda self, size: order.append(("warm", size)))
    opened = open_live_source.find_file_source

    def find(name, **options):
        opener = opened(name, **options)
        return lambda: order.append(("open", name)) or opener()

    monkeypatch.setattr(open_live_source, "find_file_source", find)
    assert run("--source", talk, "--headless").exit_code == 0
    assert order == [("warm", (1280, 720)), ("open", str(talk))]


def test_people_read_speed_delays_and_files(talk, looks, folder):
    result = run("--source", talk, "--headless", "--realtime", "--record", "out.mp4")
    assert result.exit_code == 0
    said = result.stdout
    assert re.search(r"talk\.mp4: \d+ frames in \d\.\d s, \d+\.\d fps, \d+ dropped", said)
    assert re.search(r"capture to present +\d+\.\d +\d+\.\d", said)
    assert re.search(r"recorded \d+ frames: out\.mp4", said)
    assert result.stderr == ""


def test_at_camera_pace_a_file_takes_its_time(talk, looks, folder):
    result = run("--source", talk, "--headless", "--realtime", "--json")
    account = json.loads(result.stdout)
    assert account["presented"] + account["dropped"] <= account["captured"] == 10
    assert account["seconds"] > 0.2


@pytest.mark.parametrize(
    ("words", "count"), [(["--frames", "25"], 25), (["--seconds", "0.5"], None)]
)
def test_a_repeated_file_goes_on_until_a_limit(talk, looks, folder, words, count):
    result = run("--source", talk, "--headless", "--repeat", "--json", *words)
    account = json.loads(result.stdout)
    assert account["stopped"]
    assert count is None or account["presented"] == count


def test_pictures_are_a_source(looks, folder, portrait):
    for number in range(3):
        PIL.Image.fromarray(portrait.frame()).save(f"shot{number}.png")
    account = json.loads(run("--source", "shot%d.png", "--headless", "--json").stdout)
    assert account["presented"] == 3


def test_landmarks_are_sent_to_standard_output_and_nothing_else(talk, looks, folder):
    result = run("--source", talk, "--headless", "--send", "-")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 10
    assert "10 frames" in result.stderr


def test_cameras_are_mirrored_and_files_are_not_if_not_said(talk, monkeypatch):
    seen = []

    def look(tracking, choice, **settings):
        seen.append(settings)
        raise FacewarpError("enough")

    import facewarp.live.face_pipeline

    monkeypatch.setattr(facewarp.live.face_pipeline, "FacePipeline", look)
    assert run("--source", talk, "--headless").exit_code == 1
    assert run("--source", talk, "--headless", "--mirror").exit_code == 1
    assert [settings["mirror"] for settings in seen] == [False, True]


# --- cameras


class Capture:
    """A camera of 320 x 240 as OpenCV opens it."""

    def __init__(self, index, backend):
        self.given = 0

    def isOpened(self):
        return True

    def set(self, what, value):
        return True

    def get(self, what):
        return 0.0

    def grab(self):
        time.sleep(0.01)
        return True

    def retrieve(self):
        return True, np.full((240, 320, 3), 100, np.uint8)

    def read(self):
        return self.retrieve()

    def release(self):
        pass


@pytest.fixture
def two_cameras(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    listed = [Camera(0, "Logitech BRIO", "V4L2"), Camera(2, "Logitech C920", "V4L2")]
    monkeypatch.setattr(camera_source, "list_cameras", lambda **options: listed)
    monkeypatch.setitem(camera_source.CameraSource.__init__.__kwdefaults__, "opener", Capture)
    return listed


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "Logitech BRIO"),
        (["--webcam", "c920"], "Logitech C920"),
        (["--webcam", "2"], "Logitech C920"),
    ],
)
def test_a_camera_is_chosen_by_index_or_name(two_cameras, looks, folder, words, name):
    result = run(*words, "--headless", "--frames", "3", "--json")
    assert result.exit_code == 0, result.stderr
    account = json.loads(result.stdout)
    assert account["source"] == name
    assert account["presented"] == 3
    assert all_given()[name] == Given(320, 240)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("logitech", "2 cameras are called 'logitech'"),
        ("sony", "no camera is called"),
        ("5", "no camera 5"),
    ],
)
def test_an_unclear_camera_is_an_error_that_lists_them(two_cameras, looks, folder, wanted, told):
    result = run("--webcam", wanted, "--headless")
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert "0 (Logitech BRIO), 2 (Logitech C920)" in result.stderr


def test_without_a_camera_what_was_looked_for_and_what_to_try_is_told(no_cameras, looks, folder):
    result = run("--headless")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: no camera was found")
    assert "--source FILE" in line
    assert looks == []  # before a model is loaded


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_without_a_display_there_are_other_ways(no_cameras, looks, folder, talk):
    result = run("--source", talk)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--web" in result.stderr
    assert "--headless" in result.stderr


def cameras(*words):
    return CliRunner().invoke(app, ["cameras", *words])


@pytest.fixture
def listing(monkeypatch):
    modes = (Mode(640, 480, "YUYV", (30.0,)), Mode(1280, 720, "MJPG", (60.0, 30.0)))
    found = [
        Camera(0, "Brio [4K]", "V4L2", "/dev/video0", modes),
        Camera(2, "Barred", "V4L2", "/dev/video2", problem="may not be opened: add yourself"),
    ]
    import facewarp.live.capture.camera_list

    monkeypatch.setattr(facewarp.live.capture.camera_list, "list_cameras", lambda **options: found)
    return found


def test_cameras_are_listed_with_modes_and_problems(listing):
    result = cameras()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["index", "name", "backend", "gave", "modes"]
    assert "Brio [4K]" in lines[1]
    assert "YUYV 640x480@30" in result.stdout
    assert "MJPG 1280x720@60" in result.stdout
    assert "camera 2: Barred may not be opened" in result.stderr


def test_what_a_camera_gave_last_is_told_by_cameras_and_doctor(listing, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember_given(Camera(0, "Brio [4K]", "V4L2"), Given(640, 360, "YUYV", 15.0))
    assert "640x360@15 YUYV" in cameras().stdout
    listed = json.loads(cameras("--json").stdout)
    assert listed[0]["given"] == {"width": 640, "height": 360, "pixels": "YUYV", "fps": 15.0}
    assert listed[1]["given"] is None
    (finding,) = [one for one in doctor.examine() if one.name == "cameras"]
    assert "Brio [4K] (640x360@15 YUYV)" in finding.text
    assert finding.facts["gave_last"] == {"Brio [4K]": "640x360@15 YUYV"}


def test_cameras_are_listed_for_programs(listing):
    found = json.loads(cameras("--json").stdout)
    assert [camera["index"] for camera in found] == [0, 2]
    assert found[0]["modes"][1] == {
        "width": 1280, "height": 720, "pixels": "MJPG", "rates": [60.0, 30.0],
    }  # fmt: skip


def test_a_machine_without_cameras_says_so(listing):
    listing.clear()
    result = cameras("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == []
    assert "no camera was found" in result.stderr


# --- usage


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--webcam", "0", "--source", "a.mp4"], "not from both"),
        (["--web", "--source", "a.mp4"], "browser's camera"),
        (["--web", "--headless"], "on no page"),
        (["--realtime"], "give --source FILE"),
        (["--repeat", "--web"], "give --source FILE"),
        (["--source", "a.mp4", "--size", "64x48"], "cameras of this machine"),
        (["--source", "a.mp4", "--no-mjpg"], "cameras of this machine"),
        (["--source", "a.mp4", "--port", "9000"], "give --web, too"),
        (["--allow-remote"], "give --web, too"),
        (["--certificate", "page.pem"], "give --web, too"),
        (["--headless", "--screenshots", "shots"], "no keys"),
        (["--field-of-view", "40"], "give --send, too"),
        (["--size", "big"], "'big' is no size"),
        (["--size", "0x0"], "is no size"),
        (["--effect", "mesh", "--texture", "tiger"], "wears no texture"),
        (["--send", "-", "--json"], "not both"),
        (["--fps", "0"], "--fps"),
        (["--port", "70000"], "--port"),
        (["--frames", "0"], "--frames"),
        (["--seconds", "-1"], "--seconds"),
        (["--effect", "sparkle"], "sparkle"),
        (["--nope"], "--nope"),
        (["a.mp4"], "a.mp4"),
    ],
)
def test_wrong_usage_ends_with_2_and_does_nothing(looks, folder, words, told):
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    assert looks == []
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--source", "gone.mp4"], "no such file or folder (gone.mp4)"),
        (["--source", "foo://host"], "no way to open foo://"),
        (["--source", "rtsp://127.0.0.1:9/x"], "connection refused"),
        (["--source", "TALK", "--fps", "10"], "its own frames a second"),
        (["--source", "TALK", "--record", "out.avi"], ".mp4, "),
        (["--source", "TALK", "--record", "TALK"], "same file"),
        (["--source", "TALK", "--send", "nowhere"], "faces cannot be sent there"),
        (["--source", "TALK", "--stats", "TALK/x.jsonl"], "not a folder"),
        (["--source", "TALK", "--stats", "TALK"], "input are the same file (TALK)"),
        (["--source", "TALK", "--record", "o.mp4", "--stats", "./o.mp4"], "two outputs"),
        (["--source", "TALK", "--stats", "o.jsonl", "--send", "o.jsonl"], "two outputs"),
        (["--output", "TALK", "--audio-source", "TALK"], "input are the same file (TALK)"),
        (["--web", "--certificate", "TALK", "--stats", "TALK"], "input are the same file (TALK)"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(looks, folder, talk, words, told):
    content = talk.read_bytes()
    words = [word.replace("TALK", str(talk)) for word in words]
    result = run(*words, *([] if "--web" in words else ["--headless"]))
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert told.replace("TALK", str(talk)) in line
    assert talk.read_bytes() == content
    assert "internal" not in line
    assert os.listdir() == []
    assert all(look.closed for look in looks)


def test_an_error_while_it_runs_keeps_what_was_recorded(talk, folder, monkeypatch):
    class Failing(StandIn):
        def __call__(self, frame):
            if frame.index == 6:
                raise FacewarpError("the model is gone")
            return super().__call__(frame)

    monkeypatch.setattr(live_session, "_make_pipeline", Failing)
    result = run("--source", talk, "--headless", "--record", "out.mp4", "--stats", "t.jsonl")
    assert result.exit_code == 1
    assert "the model is gone" in result.stderr
    assert 1 <= len(list(read_video("out.mp4"))) <= 6


EXAMPLES = [
    line.strip()
    for name in ("live", "cameras")
    for line in load_command(name).help.splitlines()
    if line.strip().startswith("facewarp ")
]


def test_help_shows_the_examples():
    for name in ("live", "cameras"):
        result = CliRunner().invoke(app, [name, "--help"])
        lines = [line.strip() for line in result.stdout.splitlines()]
        own = [example for example in EXAMPLES if example.split()[1] == name]
        assert len(own) >= 2
        assert all(example in lines for example in own)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_understood(example):
    _, name, *words = shlex.split(example)
    words = [word for word in words if word != "--json"]
    assert load_command(name).make_context(name, words)


@pytest.mark.parametrize("name", ["live", "cameras"])
def test_help_loads_nothing_heavy(name):
    code = (
        "import sys, facewarp.cli.app as a\n"
        f"try: a.app([{name!r}, '--help'])\nexcept SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "cv2", "numpy", "av", "PIL", "mediapipe", "openvino"}


# --- Ctrl-C


def interrupted(words, is_time, signals=(signal.SIGINT,)):
    """Run until it is time, send signals a second apart, and return (code, stdout, stderr)."""
    command = [sys.executable, "-c", "from facewarp.cli.app import main; main()", "live", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 120
        while not is_time():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def lines_of(folder):
    return sum(path.read_text().count("\n") for path in folder.glob(".t.*.partial.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for one process")
@pytest.mark.parametrize(
    ("name", "number"), [("out.mp4", signal.SIGINT), ("out.mkv", signal.SIGTERM)]
)
def test_ctrl_c_leaves_a_recording_that_plays_and_an_account(talk, folder, name, number):
    words = ["--source", str(talk), "--repeat", "--realtime", "--headless", "--faces", "1"]
    words += ["--record", name, "--stats", "t.jsonl"]
    code, out, err = interrupted(words, lambda: lines_of(folder) > 20, [number])
    assert code == 130, err
    times = [frame.time for frame in read_video(name)]
    lines = [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()]
    assert len(times) == len(lines) > 20
    expected = [line["time_s"] - lines[0]["time_s"] for line in lines]
    assert times == pytest.approx(expected, abs=0.001)
    assert f"recorded {len(times)} frames: {name}" in out
    assert "capture to present" in out
    assert err == (
        f"interrupted: kept {len(times)} frames in {name}; kept {len(times)} frames in t.jsonl\n"
    )
    assert sorted(os.listdir()) == sorted([name, "t.jsonl"])


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for one process")
def test_ctrl_c_of_a_session_without_files_speaks_of_none(talk, folder):
    words = ["--source", str(talk), "--repeat", "--realtime", "--headless", "--faces", "1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:  # what goes to nobody else
        taken.bind(("127.0.0.1", 0))
        taken.setblocking(False)
        words += ["--send", f"udp://127.0.0.1:{taken.getsockname()[1]}"]
        code, out, err = interrupted(words, lambda: select.select([taken], [], [], 0)[0])
    assert code == 130, err
    assert "capture to present" in out
    assert err.endswith("interrupted: nothing was recorded\n")
    assert os.listdir() == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for one process")
def test_ctrl_c_while_it_starts_leaves_nothing(talk, folder):
    started = time.monotonic()
    words = ["--source", str(talk), "--repeat", "--headless", "--record", "out.mp4"]
    code, _, err = interrupted(words, lambda: time.monotonic() - started > 1.0)
    before_us = "init_import_site" in err  # on a slow machine Python itself is still starting
    assert code in (130, -signal.SIGINT) or before_us, err
    assert [name for name in os.listdir() if not name.startswith(".")] in ([], ["out.mp4"])
    for path in folder.glob("out.mp4"):
        assert list(read_video(path))
