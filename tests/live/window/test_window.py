"""The window: its keys on their own, and the real thing on an X server of the test's own."""

import ctypes
import json
import os
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import PIL.ImageGrab
import pytest

from facewarp.errors import FacewarpError
from facewarp.live.window import display
from facewarp.live.window.hotkeys import Hotkeys

CHILD = """
import json, sys, time
import numpy as np
from facewarp.media.frames import Frame
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.timing import LiveStats
from facewarp.live.window.window import Window

COLOURS = {"labels": (60, 120, 200), "mesh": (200, 80, 60)}

def tell(**what):
    print(json.dumps(what), flush=True)

class Source:
    name, notice, open = "pattern", None, True
    def __iter__(self):
        index = 0
        while self.open:
            time.sleep(1 / 60)
            yield Frame(np.zeros((360, 640, 3), np.uint8), index / 60, index)
            index += 1
    def close(self):
        self.open = False

class Controls:
    def __init__(self):
        self.now = dict(effect="labels", texture="tiger", opacity=1.0, smoothing=True,
                        mirror=False, template="average", style="bronze", style_mode="full")
    def settings(self):
        return dict(self.now)
    def choices(self):
        return dict(effect=list(COLOURS), texture=["tiger"], template=["average"],
                    style=["bronze"], style_mode=["full"])
    def change(self, **settings):
        self.now |= settings
        tell(**settings)

class Actions:
    def stop(self):
        tell(stop=True)
        loop.stop()
    def pause(self):
        loop.pause(not stats.paused)
        return "Paused" if stats.paused else "Going on"
    record = screenshot = lambda self: "done"
Controls.snapshot_template = lambda self: "taken"
Controls.snapshot_neutral = lambda self: "neutral"

controls, stats = Controls(), LiveStats()

def work(frame):
    image = np.full_like(frame.image, COLOURS[controls.now["effect"]])
    image.setflags(write=False)  # what is written over it must not be in the recording
    record = dict(frame=frame.index, time_s=frame.time, face=0, state="tracking", confidence=0.97)
    return ProcessedFrame(image, [record], {})

window = Window(controls, Actions())
loop = LiveLoop(Source(), work, [window], stats, seconds=60)
report = loop.run()
tell(end=True, presented=report.summary["presented"])
"""


class Controls:
    """Keeps what it is told; refuses template snapshots."""

    def __init__(self):
        self.now = {
            "effect": "labels", "texture": "mask", "opacity": 0.95, "smoothing": True,
            "mirror": False, "template": "snapshot", "style": "bronze", "style_mode": "full",
        }  # fmt: skip

    def settings(self):
        return dict(self.now)

    def choices(self):
        return {
            "effect": ["labels", "mesh", "texture"],
            "texture": ["butterfly", "mask", "tiger"],
            "template": ["average", "snapshot"],
            "style": ["bronze", "painting"],
            "style_mode": ["color", "full"],
        }

    def change(self, **settings):
        self.now |= settings

    def snapshot_template(self):
        raise FacewarpError("no face was seen", fix="Look into the camera.")

    def snapshot_neutral(self):
        return "this face is neutral"


class Actions:
    def __init__(self):
        self.done = []

    def stop(self):
        self.done.append("stop")

    def pause(self):
        self.done.append("pause")
        return "Paused"

    def record(self):
        self.done.append("record")
        return "Recording"

    def screenshot(self):
        self.done.append("screenshot")
        return "Wrote shot.png"


@pytest.fixture
def controls():
    return Controls()


@pytest.fixture
def actions():
    return Actions()


@pytest.fixture
def keys(controls, actions):
    keys = Hotkeys(controls, actions)
    yield keys
    keys.close()


def said(keys):
    """What is to be shown once everything is done."""
    keys._worker.submit(lambda: None).result()
    return [line.text for line in keys.lines()]


# --- keys


@pytest.mark.parametrize(
    ("pressed", "settings"),
    [
        ("2", {"effect": "mesh"}),
        ("3", {"effect": "texture"}),
        ("9", {}),
        ("x", {"effect": "texture", "texture": "mask"}),
        ("3x", {"effect": "texture", "texture": "tiger"}),
        ("3xx", {"effect": "texture", "texture": "butterfly"}),
        ("3z", {"effect": "texture", "texture": "butterfly"}),
        ("v", {"effect": "style"}),
        ("vv", {"effect": "style", "style": "painting"}),
        ("vvvdd", {"effect": "style", "style_mode": "full"}),
        ("vd", {"effect": "style", "style_mode": "color"}),
        ("-", {"opacity": 0.85}),
        ("++", {"opacity": 1.0}),
        (20 * "-", {"opacity": 0.0}),
        ("s", {"smoothing": False}),
        ("m", {"mirror": True}),
        ("M", {"mirror": True}),
        ("mm", {}),
        ("b", {"template": "average"}),
        ("ß§#", {}),
    ],
)
def test_keys_change_settings(keys, controls, pressed, settings):
    expected = {**controls.now, **settings}
    for key in pressed:
        keys.press(key)
    said(keys)
    assert controls.now == pytest.approx(expected)


def test_every_change_is_told(keys):
    for key in "2xsm+":
        keys.press(key)
    assert said(keys) == ["mesh", "texture mask", "smoothing off", "mirror on", "opacity 100%"]


def test_keys_ask_for_actions(keys, actions):
    for key in "rpc R":
        keys.press(key)
    assert said(keys) == ["Recording", "Wrote shot.png", "Wrote shot.png", "Paused", "Recording"]
    assert actions.done == ["record", "screenshot", "screenshot", "pause", "record"]


def test_what_is_impossible_is_told_and_nothing_breaks(keys):
    keys.press("t")
    said_lines = keys._worker.submit(lambda: None).result() or keys.lines()
    assert [(line.text, line.is_error) for line in said_lines] == [
        ("no face was seen. Look into the camera.", True)
    ]
    keys.press("2")
    assert said(keys) == ["mesh"]


def test_a_bug_is_not_hidden(keys, controls):
    controls.change = None
    keys.press("2")
    with pytest.raises(TypeError):
        said(keys)


@pytest.mark.parametrize("key", ["q", "Q", "\x1b"])
def test_quitting(keys, actions, key):
    keys.press(key)
    assert actions.done == ["stop"]


def test_escape_closes_the_card_first(keys, actions):
    keys.press("h")
    assert keys.help_shown
    keys.press("\x1b")
    assert not keys.help_shown
    assert actions.done == []
    keys.press("\x1b")
    assert actions.done == ["stop"]


def test_a_slow_change_holds_no_frame_up(keys, controls):
    release = threading.Event()
    controls.snapshot_template = lambda: release.wait(60) and "taken"
    keys._does = {**keys._does, "t": controls.snapshot_template}
    keys.press("t")
    keys.press("m")  # both return, though the first is not done
    assert keys.lines() == []
    release.set()
    assert said(keys) == ["taken", "mirror on"]


# --- the display


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(display, "_gui", lambda: "QT5")


def test_without_a_display_it_is_said_what_else_there_is(no_display):
    assert "DISPLAY is not set" in display.why_no_window()
    with pytest.raises(FacewarpError, match=r"no display.*--web.*--headless"):
        display.check_display()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere they get along")
@pytest.mark.parametrize(("first", "hangs"), [("av", True), ("facewarp.media.sources", False)])
def test_windows_that_would_hang_are_told(first, hangs):
    code = f"import {first}, cv2, av; from facewarp.live.window import display; "
    code += "print(display.why_no_window())"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("PyAV was imported before OpenCV" in asked.stdout) == hangs


@pytest.mark.parametrize(
    ("name", "reason"),
    [(":987", "cannot be reached"), ("nonsense", "names no display"), (":", "names no display")],
)
def test_a_display_that_is_only_a_name_is_none(no_display, monkeypatch, name, reason):
    monkeypatch.setenv("DISPLAY", name)
    assert reason in display.why_no_window()


def test_opencv_without_windows_is_told(no_display, monkeypatch):
    monkeypatch.setattr(display, "_gui", lambda: "NONE")
    monkeypatch.setenv("DISPLAY", ":0")
    assert "OpenCV has no windows" in display.why_no_window()


def test_wayland_alone_is_enough_for_gtk_only(no_display, monkeypatch):
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert "need X" in display.why_no_window()
    monkeypatch.setattr(display, "_gui", lambda: "GTK3")
    assert display.why_no_window() is None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_always_have_a_display(no_display, monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert display.why_no_window() is None


@pytest.mark.parametrize(("answer", "works"), [(b"\x01", True), (b"\x00", False), (b"", False)])
def test_a_display_by_network_is_asked(no_display, monkeypatch, answer, works):
    with socket.socket() as server:
        for number in range(50, 99):
            try:
                server.bind(("127.0.0.1", 6000 + number))
                break
            except OSError:
                continue
        server.listen()
        server.settimeout(60)

        def serve():
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(64))
                connection.sendall(answer)

        asked = []
        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{number}.0")
        monkeypatch.setenv("XAUTHORITY", "/nowhere")
        assert (display.why_no_window() is None) == works
        thread.join()
    assert asked == [b"l\0\x0b\0\0\0\0\0\0\0\0\0"]


# --- on a real X server


@pytest.fixture
def start_x(tmp_path):
    """Start Xvfb; the display's name."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    servers = []

    def start(*options):
        read, write = os.pipe()
        command = [
            "Xvfb",
            "-displayfd",
            str(write),
            "-noreset",
            "-screen",
            "0",
            "1400x800x24",
            *options,
        ]
        quiet = subprocess.DEVNULL
        servers.append(subprocess.Popen(command, pass_fds=[write], stdout=quiet, stderr=quiet))
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        return f":{number}"

    yield start
    for server in servers:
        server.terminate()
        server.wait(60)


def test_a_display_is_found(no_display, monkeypatch, start_x):
    monkeypatch.setenv("DISPLAY", start_x())
    assert display.why_no_window() is None


def test_a_display_that_wants_a_key_is_shown_it(no_display, monkeypatch, start_x, tmp_path):
    cookie = secrets.token_bytes(16)

    def entry(number, name, key):
        fields = [b"host", number, name, key]
        return b"\1\0" + b"".join(len(f).to_bytes(2, "big") + f for f in fields)

    right = entry(b"", b"MIT-MAGIC-COOKIE-1", cookie)
    (tmp_path / "server").write_bytes(right)
    wrong = entry(b"", b"MIT-MAGIC-COOKIE-1", bytes(16)) + entry(b"", b"OTHER", b"x")
    (tmp_path / "user").write_bytes(wrong + right)
    (tmp_path / "stranger").write_bytes(wrong + right[:20])
    monkeypatch.setenv("DISPLAY", start_x("-auth", str(tmp_path / "server")))
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "stranger"))
    assert "refuses this user" in display.why_no_window()
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "user"))
    assert display.why_no_window() is None


class Screen:
    """A window on an X server: what it shows, what the program says, keys and the close button."""

    def __init__(self, name):
        self.name = name
        self.environment = {**os.environ, "DISPLAY": name}
        self.program = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        found = self._xdotool("search", "--sync", "--onlyvisible", "--name", "^facewarp$")
        self.window = int(found.split()[-1])
        name = str(self.window)
        while not self._is_lit(2.0):  # no window manager: Qt may miss that it is to be drawn
            self._xdotool("windowunmap", "--sync", name, "windowmap", "--sync", name)
        self._xdotool("windowfocus", "--sync", name)

    def _listen(self):
        for line in self.program.stdout:
            self.told.put(json.loads(line))

    def _xdotool(self, *words):
        command = ["timeout", "200", "xdotool", *words]
        run = subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True
        )
        return run.stdout

    def _grab(self):
        return np.asarray(PIL.ImageGrab.grab(xdisplay=self.name).convert("RGB"))

    def _is_lit(self, seconds):
        until = time.monotonic() + seconds
        while not self._grab().any():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def press(self, key):
        self._xdotool("key", key)

    def resize(self, width, height):
        self._xdotool("windowsize", str(self.window), str(width), str(height))

    def hears(self, **what):
        while self.told.get(timeout=120) != what:
            continue

    def shows(self, condition):
        """Wait until a picture of the screen meets a condition; that picture."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            picture = self._grab()
            if condition(picture):
                return picture
            time.sleep(0.1)
        path = Path(tempfile.gettempdir()) / "facewarp-window.png"
        PIL.Image.fromarray(picture).save(path)
        self.program.kill()
        pytest.fail(f"the screen does not show it, see {path}; {self.program.stderr.read()}")

    def press_close_button(self):
        """What a window manager does when its X is clicked: WM_DELETE_WINDOW."""
        x = ctypes.CDLL(find_library("X11"))
        x.XOpenDisplay.restype = ctypes.c_void_p
        connection = ctypes.c_void_p(x.XOpenDisplay(self.name.encode()))
        atoms = [
            x.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        ]
        event = (ctypes.c_long * 24)()
        event[0], event[4], event[5] = 33, self.window, atoms[0]  # type, window, message type
        event[6], event[7] = 32, atoms[1]  # format, data
        x.XSendEvent(connection, ctypes.c_ulong(self.window), 0, 0, ctypes.byref(event))
        x.XSync(connection, 0)
        x.XCloseDisplay(connection)


@pytest.fixture
def screen(start_x):
    if not shutil.which("xdotool"):
        pytest.skip("xdotool is not installed")
    if not PIL.features.check("xcb"):
        pytest.skip("this Pillow cannot read an X server's screen")
    screen = Screen(start_x())
    yield screen
    screen.program.kill()
    screen.program.wait(60)


def is_near(color):
    return lambda pixels: np.abs(np.asarray(pixels).astype(int) - color).max(-1) <= 2


BLUE, RED_BROWN = is_near((60, 120, 200)), is_near((200, 80, 60))


@pytest.mark.slow
def test_the_window_shows_picture_and_overlay_obeys_keys_and_closes(screen):
    width, height = 1280, 720  # a small picture is enlarged to that
    shot = screen.shows(lambda picture: BLUE(picture[height // 2, :width]).all())
    assert (shot[height + 5 :] == 0).all()
    assert (shot[:, width + 5 :] == 0).all()
    bar = shot[5:60, 5 : width // 2]
    assert (bar.max(-1) < 80).any()  # the panel
    assert (bar.min(-1) > 200).sum() > 50  # letters
    assert is_near((96, 211, 148))(bar).sum() > 10  # the dot of a tracked face
    assert BLUE(shot[height // 3 : 2 * height // 3, :width]).all()  # nothing in the middle

    screen.press("2")
    screen.hears(effect="mesh")
    screen.shows(lambda picture: RED_BROWN(picture[height // 2, width // 2]))

    screen.press("h")
    card = screen.shows(lambda picture: not RED_BROWN(picture[height // 2, width // 2]))
    middle = card[height // 4 : 3 * height // 4, width // 3 : 2 * width // 3]
    assert (middle.min(-1) > 200).sum() > 300
    screen.press("Escape")  # the card goes, the session stays
    screen.shows(lambda picture: RED_BROWN(picture[height // 2, width // 2]))

    screen.press("space")
    screen.press("i")
    paused = screen.shows(
        lambda picture: (
            RED_BROWN(picture[5:40, 5 : width // 3]).all()
            and not RED_BROWN(picture[height // 2 - 10 : height // 2 + 10, :width]).all()
        )
    )
    assert (paused[height // 2 - 20 : height // 2 + 20, :width].min(-1) > 200).any()  # letters
    screen.press("space")

    screen.resize(500, 500)  # a picture of 16:9 keeps its proportions in a square
    screen.shows(
        lambda picture: (
            RED_BROWN(picture[250, 10:490]).all()
            and is_near((14, 15, 18))(picture[20, 10:490]).all()
            and RED_BROWN(picture[115:385, 250]).mean() > 0.9
        )
    )

    screen.press_close_button()
    screen.hears(stop=True)
    assert screen.told.get(timeout=120)["presented"] > 10
    assert screen.program.wait(120) == 0
    assert screen.program.stderr.read() == ""


@pytest.mark.slow
def test_q_ends_the_session(screen):
    screen.shows(lambda picture: BLUE(picture[300, 500]))
    screen.press("Right")  # arrows are no letters
    screen.press("q")
    screen.hears(stop=True)
    assert screen.program.wait(120) == 0


@pytest.mark.slow
def test_without_a_display_the_process_lives(no_display):
    """OpenCV itself would abort it."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    run = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "FacewarpError" in run.stderr
    assert "--web" in run.stderr
