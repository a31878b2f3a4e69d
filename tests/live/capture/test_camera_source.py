"""A camera read through what has OpenCV's interface: asked, read, lost, found again."""

import threading
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest
from fixtures.waiting import until

import facewarp.live.capture.camera_source as module
from facewarp.errors import FacewarpError
from facewarp.live.capture.camera import Camera, Given, Mode
from facewarp.live.capture.camera_list import given_before
from facewarp.live.capture.camera_source import CameraSource, choose_camera, open_camera
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.timing import LiveStats

CAMERA = Camera(0, "Brio", "V4L2", "/dev/video0")


class Device:
    """A camera as a machine has it, behind any number of captures."""

    def __init__(self, size=(64, 48), rate=500.0):
        self.size, self.rate = size, rate
        self.present, self.blind, self.index = True, False, 0
        self.given = 0
        self.fail_at = set()
        self.captures = []
        self.backends = {"V4L2"}
        self.told, self.size_resets_format = {}, False

    def change(self, what, value):
        """Take a setting over, as drivers do."""
        self.told[what] = value
        if self.size_resets_format and what == cv2.CAP_PROP_FRAME_HEIGHT:
            self.told[cv2.CAP_PROP_FOURCC] = cv2.VideoWriter.fourcc(*"YUY2")
            self.size_resets_format = False

    def open(self, index, backend):
        there = self.present and index == self.index and backend in self.backends
        capture = Capture(self, there, backend)
        self.captures.append(capture)
        return capture

    def list(self):
        return [Camera(self.index, "Brio", "V4L2")] if self.present else []

    def picture(self):
        image = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        image[:] = (200, 100, self.given % 256)  # BGR
        return image


class Capture:
    def __init__(self, device, is_open, backend):
        self.device, self.is_open, self.backend = device, is_open, backend
        self.asked = []
        self.released = 0

    def isOpened(self):
        return self.is_open

    def set(self, what, value):
        self.asked.append((what, value))
        self.device.change(what, value)
        return True

    def get(self, what):
        return self.device.told.get(what, 0.0)

    def grab(self):
        time.sleep(1 / self.device.rate)
        self.device.given += 1
        failed = self.device.given in self.device.fail_at or self.device.blind
        return self.is_open and self.device.present and not failed

    def retrieve(self):
        return True, self.device.picture()

    def read(self):
        return self.retrieve() if self.grab() else (False, None)

    def release(self):
        self.released += 1
        self.is_open = False


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    monkeypatch.setattr(module, "_BETWEEN_S", 0.002)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def source_of(device, camera=CAMERA, **options):
    return CameraSource(camera, opener=device.open, lister=device.list, **options)


def take(source, count):
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == count:
            return frames
    return frames


def test_pictures_come_in_rgb_with_the_times_of_their_capture():
    device = Device()
    source = source_of(device)
    began = time.perf_counter()
    frames = take(source, 5)
    assert [frame.index for frame in frames] == list(range(5))
    assert frames[0].time == 0.0
    for earlier, later in pairwise(frames):
        assert later.time > earlier.time
        assert later.time - earlier.time == pytest.approx(later.captured - earlier.captured)
        assert later.image[0, 0, 2] == 200
        assert later.image[0, 0, 1] == 100
        assert later.image[0, 0, 0] == earlier.image[0, 0, 0] + 1
    assert began < frames[0].captured < time.perf_counter()
    source.close()
    assert device.captures[0].released >= 1


def test_gray_deep_and_unconverted_pictures_are_shown_in_color():
    device = Device()
    plain = np.full((48, 64, 3), (200, 100, 30), np.uint8)
    gray = plain[..., 2]
    yuy2 = np.dstack([np.full((48, 64), 90, np.uint8), np.full((48, 64), 128, np.uint8)])
    for given, wanted in [
        (plain, (30, 100, 200)),
        (np.dstack([plain, gray]), (30, 100, 200)),
        (plain.astype(np.uint16) * 257, (30, 100, 200)),
        (gray, (30, 30, 30)),
        (gray[..., None], (30, 30, 30)),
        (gray.astype(np.uint16) * 257, (30, 30, 30)),
        (yuy2, (86, 86, 86)),
    ]:
        device.picture = lambda given=given: given
        source = source_of(device)
        (frame,) = take(source, 1)
        source.close()
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert tuple(frame.image[9, 9]) == wanted


def test_a_picture_without_pixels_is_a_missing_one():
    device = Device()
    whole, count = device.picture, iter(range(10**6))
    empty = np.zeros((0, 0, 3), np.uint8)
    device.picture = lambda: empty if next(count) % 3 == 0 else whole()
    source = source_of(device)
    frames = take(source, 6)
    source.close()
    assert [frame.index for frame in frames] == list(range(6))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert len(device.captures) == 1


def test_it_is_asked_for_format_size_and_rate_and_says_what_it_gives():
    device = Device(size=(640, 360))
    source = source_of(device, size=(1280, 720), fps=60)
    asked = device.captures[0].asked
    assert asked[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    assert (cv2.CAP_PROP_FRAME_WIDTH, 1280) in asked
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 720) in asked
    assert (cv2.CAP_PROP_FPS, 60.0) in asked
    assert source.size == (640, 360)
    assert source.fps == 60
    assert (source.name, source.is_live) == ("Brio", True)
    source.close()


def test_the_format_is_asked_for_again_where_the_size_has_changed_it(caplog):
    device = Device(size=(1280, 720))
    device.size_resets_format = True
    source = source_of(device, size=(1280, 720))
    formats = [value for what, value in device.captures[0].asked if what == cv2.CAP_PROP_FOURCC]
    assert formats == [cv2.VideoWriter.fourcc(*"MJPG")] * 2
    assert (source.given.pixels, source.given.fps) == ("MJPG", 30.0)
    assert caplog.text == ""
    source.close()


def test_what_a_camera_gives_instead_is_told_and_kept(caplog):
    device = Device(size=(1280, 720))
    device.change = lambda what, value: None
    device.told = {cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"), cv2.CAP_PROP_FPS: 10.0}
    source = source_of(device, size=(1280, 720))
    assert "gives YUYV, not MJPG" in caplog.text
    assert "gives 10 frames a second, not 30" in caplog.text
    assert source.given == Given(1280, 720, "YUYV", 10.0) == given_before(CAMERA)
    assert str(source.given) == "1280x720@10 YUYV"
    source.close()


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_camera_that_tells_nothing_sensible_is_used_without_a_word(caplog, rate):
    device = Device(size=(1280, 720))
    device.change = lambda what, value: None
    device.told = {cv2.CAP_PROP_FOURCC: rate, cv2.CAP_PROP_FPS: rate}
    source = source_of(device, size=(1280, 720))
    assert source.given == Given(1280, 720)
    assert caplog.text == ""
    source.close()


@pytest.mark.parametrize(("mjpg", "is_asked"), [(True, True), (False, False), (None, False)])
def test_compressed_pictures_can_be_asked_for_or_not(mjpg, is_asked):
    device = Device()
    raw = Camera(0, "Brio", "V4L2", modes=(Mode(640, 480, "YUYV", (30.0,)),))
    source = source_of(device, raw, size=(640, 480), mjpg=mjpg)
    wanted = (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    assert (wanted in device.captures[0].asked) == is_asked
    source.close()


def test_a_single_missing_picture_is_no_loss(caplog):
    device = Device()
    device.fail_at = {4, 5, 9}
    source = source_of(device)
    frames = take(source, 10)
    assert [frame.index for frame in frames] == list(range(10))
    assert len(device.captures) == 1
    assert caplog.messages == []


@pytest.mark.parametrize("index", [0, 2])
def test_an_unplugged_camera_is_waited_for_and_goes_on_under_any_index(caplog, index):
    device = Device()
    source = source_of(device)
    notices, frames = [], []

    def plug():
        notices.append(until(lambda: source.notice))
        time.sleep(0.3)
        device.index, device.present = index, True

    for frame in source:
        frames.append(frame)
        if len(frames) == 5:
            device.present = False
            thread = threading.Thread(target=plug)
            thread.start()
        if len(frames) == 8:
            source.close()
    thread.join()
    assert notices == ["camera lost, waiting"]
    assert source.notice is None
    assert [frame.index for frame in frames] == list(range(8))
    assert frames[5].time - frames[4].time > 0.25  # the clock has gone on
    assert source.camera.index == index
    lost, back = caplog.messages
    assert "camera 0: Brio is lost; waiting" in lost
    assert f"camera {index}: Brio is back" in back
    assert all(capture.released for capture in device.captures)


def test_another_camera_is_not_taken_for_the_lost_one():
    device = Device()
    source = source_of(device)
    others = [Camera(0, "Another", "V4L2")]
    source._lister = lambda: others
    frames = []

    def stop():
        time.sleep(0.3)
        source.close()

    thread = threading.Thread(target=stop)
    for frame in source:
        frames.append(frame)
        if len(frames) == 3:
            device.present = False
            thread.start()
    thread.join()
    assert len(frames) == 3
    assert len(device.captures) == 1


def test_the_loop_tells_viewers_of_a_lost_camera_and_ends_while_it_is_lost():
    device, stats, notices, shown = Device(rate=100), LiveStats(), [], []

    class Viewer:
        def present(self, frame, made, stats):
            shown.append(frame.index)
            if len(shown) == 5:
                device.present = False

        def idle(self, stats):
            notices.append(stats.notice)
            if notices.count("camera lost, waiting") == 3:
                loop.stop()

        def close(self):
            pass

    loop = LiveLoop(
        source_of(device), lambda frame: ProcessedFrame(frame.image, [], {}), [Viewer()], stats
    )
    assert loop.run().stopped
    assert len(shown) == len(set(shown))


def test_a_camera_that_cannot_be_opened_is_told():
    device = Device()
    device.present = False
    with pytest.raises(FacewarpError, match="camera 0: Brio can't be opened"):
        source_of(device)
    assert all(capture.released for capture in device.captures)


def test_a_camera_that_gives_nothing_is_told():
    device = Device()
    device.blind = True
    with pytest.raises(FacewarpError, match="gives no picture") as error:
        source_of(device)
    assert "Close programs that use it" in error.value.fix
    assert device.captures[0].released


def test_a_camera_with_a_problem_is_not_even_tried():
    device = Device()
    barred = Camera(0, "Brio", "V4L2", problem="may not be opened: add yourself to the group video")
    with pytest.raises(FacewarpError, match="group video"):
        source_of(device, barred)
    assert device.captures == []


def test_where_the_fast_backend_fails_the_next_one_is_tried(monkeypatch):
    device = Device()
    device.backends = {"MSMF"}
    monkeypatch.setattr(module, "ways_to", lambda camera: [(0, "DSHOW"), (0, "MSMF")])
    source = source_of(device, Camera(0, "Brio", "DSHOW"))
    assert [capture.backend for capture in device.captures] == ["DSHOW", "MSMF"]
    assert device.captures[0].released
    source.close()


def test_a_camera_closed_before_it_is_read_gives_nothing_and_is_freed():
    device = Device()
    source = source_of(device)
    source.close()
    source.close()
    assert list(source) == []
    assert device.captures[0].released


def test_the_first_camera_that_can_be_used_is_taken(monkeypatch):
    barred = Camera(0, "Barred", "V4L2", problem="may not be opened")
    listed = [barred, Camera(2, "Brio", "V4L2"), Camera(4, "Loop", "V4L2")]
    monkeypatch.setattr(module, "list_cameras", lambda **options: listed)
    assert choose_camera().index == 2
    assert choose_camera("loop").index == 4
    assert choose_camera("0") is barred
    listed[:] = [barred]
    assert choose_camera() is barred
    listed.clear()
    with pytest.raises(FacewarpError, match="no camera was found"):
        choose_camera()


def test_another_size_than_asked_for_is_warned_of(monkeypatch, caplog):
    device = Device(size=(640, 480))
    monkeypatch.setattr(module.CameraSource.__init__, "__kwdefaults__", {
        **module.CameraSource.__init__.__kwdefaults__, "opener": device.open, "lister": device.list,
    })  # fmt: skip
    open_camera(CAMERA).close()
    assert caplog.messages == []
    open_camera(CAMERA, size=(1920, 1080)).close()
    assert caplog.messages == ["camera 0: Brio gives 640x480, not 1920x1080"]
