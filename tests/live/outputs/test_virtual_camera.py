"""The virtual camera, with a device of the tests' own: there is none in most machines."""

import logging
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures.waiting import until

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.virtual_camera import VirtualCamera, letterboxed
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame

STATS = LiveStats()


class Device:
    """Keeps what it is sent, or breaks."""

    device = "/dev/video42"

    def __init__(self, breaks=False):
        self.breaks = breaks
        self.sent, self.closed = [], 0
        self.got = threading.Condition()

    def send(self, picture):
        if self.breaks:
            raise RuntimeError("device unplugged")
        with self.got:
            self.sent.append(picture)
            self.got.notify_all()

    def close(self):
        self.closed += 1

    def wait_for(self, wanted):
        with self.got:
            assert self.got.wait_for(lambda: wanted(self.sent), 60)


def camera_on(device, size=(64, 48), fps=100.0):
    return VirtualCamera(size, fps, open_device=lambda size, fps, name: device)


def show(camera, image):
    camera.present(Frame(image, 0.0, 0), ProcessedFrame(image, [], {}), STATS)


def flat(value, size=(64, 48)):
    return np.full((size[1], size[0], 3), value, np.uint8)


# --- pictures


def test_a_picture_of_the_right_size_is_sent_as_it_is(rng):
    device = Device()
    camera, image = camera_on(device), rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    show(camera, image)
    device.wait_for(len)
    camera.close()
    np.testing.assert_array_equal(device.sent[0], image)
    assert (camera.device, camera.size, device.closed) == ("/dev/video42", (64, 48), 1)


def test_pictures_may_change_their_size():
    device = Device()
    camera = camera_on(device)
    for value, size in [(50, (64, 48)), (100, (52, 64)), (150, (1280, 720)), (200, (3, 2))]:
        show(camera, flat(value, size))
        device.wait_for(lambda sent, value=value: sent and sent[-1][24, 32].tolist() == [value] * 3)
    camera.close()
    assert {picture.shape for picture in device.sent} == {(48, 64, 3)}
    assert all(picture.dtype == np.uint8 for picture in device.sent)


@pytest.mark.parametrize("size", [(52, 64), (1280, 720), (64, 48), (128, 96), (1, 300)])
def test_a_letterboxed_picture_keeps_its_proportions(size):
    out = letterboxed(flat(255, size), (64, 48))
    assert out.shape == (48, 64, 3)
    rows, columns = (np.flatnonzero(out.any((axis, 2))) for axis in (1, 0))
    width, height = len(columns), len(rows)
    assert width == 64 or height == 48
    scale = min(64 / size[0], 48 / size[1])
    assert abs(width - scale * size[0]) <= 1
    assert abs(height - scale * size[1]) <= 1
    assert abs(columns[0] - (63 - columns[-1])) <= 1  # in the middle
    assert abs(rows[0] - (47 - rows[-1])) <= 1


def test_sides_are_even():
    camera = camera_on(Device(), size=(641, 361))
    camera.close()
    assert camera.size == (640, 360)


# --- time


def test_nothing_is_sent_before_there_is_a_picture():
    device = Device()
    camera = camera_on(device)
    time.sleep(0.1)
    camera.close()
    assert device.sent == []


def test_the_last_picture_goes_on_while_none_comes():
    device = Device()
    camera = camera_on(device)
    show(camera, flat(7))
    camera.idle(STATS)
    device.wait_for(lambda sent: len(sent) >= 4)
    camera.close()


def test_no_more_is_sent_than_the_rate_of_the_camera():
    device = Device()
    began = time.perf_counter()
    camera = camera_on(device, fps=20.0)
    for value in range(100):
        show(camera, flat(value))
        time.sleep(0.002)
    device.wait_for(lambda sent: sent and (sent[-1] == 99).all())  # the newest is not lost
    camera.close()
    assert len(device.sent) <= 2 + (time.perf_counter() - began) * 20 / 0.9


def test_a_device_that_hangs_holds_nothing_up():
    device, go_on = Device(), threading.Event()
    send, entered = device.send, threading.Event()

    def hang(picture):
        entered.set()
        assert go_on.wait(60)
        send(picture)

    device.send = hang
    camera = camera_on(device)
    for value in range(20):
        show(camera, flat(value))
    assert entered.wait(30)
    show(camera, flat(20))  # returns, though the device does not
    assert device.sent == []
    go_on.set()
    device.wait_for(lambda sent: sent and (sent[-1] == 20).all())
    camera.close()
    assert not camera._thread.is_alive()


# --- what goes wrong


def test_a_device_that_breaks_is_said_once_and_the_session_goes_on(caplog):
    device = Device(breaks=True)
    camera = camera_on(device)
    with caplog.at_level(logging.WARNING):
        for value in range(5):
            show(camera, flat(value))
            until(lambda: device.closed)
        camera.close()
    (record,) = caplog.records
    assert "/dev/video42 failed" in record.getMessage()
    assert "unplugged" in record.getMessage()
    assert device.closed == 1


@pytest.mark.parametrize(
    ("platform", "hint"),
    [("linux", "v4l2loopback"), ("darwin", "OBS Studio 30"), ("win32", "OBS Studio")],
)
def test_without_a_device_it_is_said_how_to_get_one(monkeypatch, platform, hint):
    def missing(*args, **kwargs):
        raise RuntimeError("'native' backend: no device there. See also the documentation.")

    library = SimpleNamespace(Camera=missing, PixelFormat=SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(FacewarpError, match=rf"opened: no device there\. .*{hint}"):
        VirtualCamera((640, 480))


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(FacewarpError, match=r"install .*\[virtual-camera\]"):
        VirtualCamera((640, 480))


def test_pyvirtualcam_is_asked_as_it_wants_to_be(monkeypatch):
    asked = []

    def camera(width, height, fps, *, fmt, device):
        asked.append((width, height, fps, fmt, device))
        return Device()

    library = SimpleNamespace(Camera=camera, PixelFormat=SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    VirtualCamera((1280, 720), 30.0, "/dev/video9").close()
    assert asked == [(1280, 720, 30.0, "RGB", "/dev/video9")]


def test_the_real_package_has_what_is_used():
    library = pytest.importorskip("pyvirtualcam")
    assert library.PixelFormat.RGB
    assert {"send", "close", "device"} <= set(dir(library.Camera))
