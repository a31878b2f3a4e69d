"""Cameras of a machine: listed without opening them, chosen by index or name."""

import errno
import os
import struct
import sys
from pathlib import Path

import pytest

from facewarp.errors import FacewarpError
from facewarp.live.capture import camera_list, v4l2
from facewarp.live.capture.camera import Camera, Mode
from facewarp.live.capture.camera_list import (
    choose_pixels,
    find_camera,
    list_cameras,
    parse_size,
    ways_to,
)

BRIO = Camera(0, "Logitech BRIO", "V4L2", "/dev/video0")
C920 = Camera(2, "Logitech C920", "V4L2", "/dev/video2")
LOOP = Camera(10, "OBS Virtual Camera", "V4L2", "/dev/video10")


# --- choosing


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("0", BRIO),
        ("10", LOOP),
        ("brio", BRIO),
        ("C920", C920),
        ("obs virtual", LOOP),
        (" 2 ", C920),
    ],
)
def test_an_index_or_a_part_of_a_name_is_enough(wanted, meant):
    assert find_camera(wanted, [BRIO, C920, LOOP]) is meant


def test_a_whole_name_comes_before_parts_of_others():
    plain = Camera(1, "Camera", "V4L2")
    assert find_camera("camera", [LOOP, plain]) is plain


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("7", "there is no camera 7"),
        ("sony", "no camera is called 'sony'"),
        ("logitech", "2 cameras are called 'logitech'"),
    ],
)
def test_an_unknown_or_ambiguous_wish_is_answered_with_what_there_is(wanted, told):
    with pytest.raises(FacewarpError, match=told) as error:
        find_camera(wanted, [BRIO, C920, LOOP])
    assert "0 (Logitech BRIO), 2 (Logitech C920)" in str(error.value)


def test_without_a_camera_it_is_told_what_was_looked_for_and_what_to_try():
    with pytest.raises(FacewarpError, match=r"no camera was found: (looked for|asked)") as error:
        find_camera("0", [])
    assert "--source FILE" in error.value.fix
    assert "--web" in error.value.fix


@pytest.mark.parametrize(
    ("text", "size"), [("1280x720", (1280, 720)), ("640X480", (640, 480)), (" 64 x 48 ", (64, 48))]
)
def test_a_size_is_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "1280", "x720", "1280x", "0x0", "1280x720x3", "-64x48", "axb"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(FacewarpError, match="is no size"):
        parse_size(text)


MODES = (
    Mode(640, 480, "YUYV", (30.0, 15.0)),
    Mode(1280, 720, "YUYV", (10.0,)),
    Mode(1280, 720, "MJPG", (60.0, 30.0)),
    Mode(1920, 1080, "H264", (30.0,)),
)


@pytest.mark.parametrize(
    ("modes", "size", "fps", "pixels"),
    [
        (MODES, (640, 480), 30, "YUYV"),  # raw where it is fast enough
        (MODES, (1280, 720), 30, "MJPG"),
        (MODES, (1280, 720), 10, "YUYV"),
        (MODES, (1920, 1080), 30, None),  # the camera has neither
        (MODES, (3840, 2160), 30, "MJPG"),
        (MODES[:2], (3840, 2160), 30, None),
        ((), (1280, 720), 30, "MJPG"),
        ((), (640, 480), 30, None),
    ],
)
def test_the_format_is_chosen_by_what_the_camera_can_do(modes, size, fps, pixels):
    assert choose_pixels(Camera(0, "cam", "V4L2", modes=modes), size, fps) == pixels


def test_a_mode_says_what_it_is():
    assert str(MODES[0]) == "640x480 YUYV @ 30 15"
    assert str(Mode(640, 480)) == "640x480"


# --- Linux


class Kernel:
    """Answers as videodev2.h says: one camera with modes, and its node for metadata."""

    FORMATS = (b"MJPG", b"YUYV")
    SIZES = ((1280, 720), (640, 480))
    CAPTURE, OWN, META = 0x1, 0x80000000, 0x00800000

    def __init__(self, devices, meta=("video1",), planes=(), ranges=False, endless=False):
        self.names = {}
        self.devices, self.meta, self.planes = devices, meta, planes
        self.ranges, self.endless = ranges, endless

    def __call__(self, number, request, data):
        name = Path(os.readlink(f"/proc/self/fd/{number}")).name
        answer = {0x80685600: self.cap, 0xC0405602: self.fmt, 0xC02C564A: self.size}
        answer[0xC034564B] = self.interval
        answer[request](name, data)
        return 0

    def cap(self, name, data):
        can = self.META if name in self.meta else 0x1000 if name in self.planes else self.CAPTURE
        data[:] = struct.pack("=16s32s32s3I12x", b"uvc", b"Cam", b"usb", 0, 0xFFFF | self.OWN, can)

    def fmt(self, name, data):
        index, kind = struct.unpack_from("=2I", data)
        assert kind == (9 if name in self.planes else 1)
        if index >= len(self.FORMATS) and not self.endless:
            raise OSError(errno.EINVAL, "that is all")
        struct.pack_into("=I", data, 44, int.from_bytes(self.FORMATS[index % 2], "little"))

    def size(self, name, data):
        index, code = struct.unpack_from("=2I", data)
        assert code.to_bytes(4, "little") in self.FORMATS
        if self.ranges:
            struct.pack_into("=7I", data, 8, 3, 64, 1920, 8, 48, 1080, 8)
            return
        if index >= len(self.SIZES):
            raise OSError(errno.EINVAL, "that is all")
        struct.pack_into("=3I", data, 8, 1, *self.SIZES[index])

    def interval(self, name, data):
        index = struct.unpack_from("=I", data)[0]
        if self.ranges:
            struct.pack_into("=3I", data, 16, 2, 1, 60)
            return
        if index >= 2:
            raise OSError(errno.EINVAL, "that is all")
        struct.pack_into("=3I", data, 16, 1, 1, (15, 30)[index])


@pytest.fixture
def machine(tmp_path):
    """(devices, classes) of a machine with video0, video1 and video10."""
    devices, classes = tmp_path / "dev", tmp_path / "class"
    devices.mkdir()
    for number, name, place in ((0, "Cam: Cam", 0), (1, "Cam: Cam", 1), (10, "Loop", 0)):
        (devices / f"video{number}").touch()
        description = classes / f"video{number}"
        description.mkdir(parents=True)
        (description / "name").write_text(f"{name}\n")
        (description / "index").write_text(f"{place}\n")
    (devices / "video-codec").touch()
    (devices / "null").touch()
    return devices, classes


linux = pytest.mark.skipif(sys.platform != "linux", reason="Video4Linux is of Linux")


@linux
def test_devices_that_capture_are_listed_by_number_with_names(machine):
    devices, classes = machine
    found = v4l2.list_devices(devices=devices, classes=classes, ioctl=Kernel(devices))
    assert [(camera.index, camera.name) for camera in found] == [(0, "Cam: Cam"), (10, "Loop")]
    assert found[0].path == str(devices / "video0")
    assert {camera.backend for camera in found} == {"V4L2"}
    assert {camera.modes for camera in found} == {()}


@linux
@pytest.mark.parametrize("planes", [(), ("video0",)])
def test_modes_are_read(machine, planes):
    devices, classes = machine
    kernel = Kernel(devices, planes=planes)
    camera = v4l2.list_devices(modes=True, devices=devices, classes=classes, ioctl=kernel)[0]
    assert camera.modes == tuple(
        Mode(width, height, pixels, (30.0, 15.0))
        for pixels in ("MJPG", "YUYV")
        for width, height in ((1280, 720), (640, 480))
    )


@linux
def test_of_a_range_of_sizes_and_rates_the_most_is_told(machine):
    devices, classes = machine
    kernel = Kernel(devices, ranges=True)
    camera = v4l2.list_devices(modes=True, devices=devices, classes=classes, ioctl=kernel)[0]
    assert camera.modes[0] == Mode(1920, 1080, "MJPG", (60.0,))
    assert len(camera.modes) == 2


@linux
def test_a_driver_that_never_says_it_is_done_is_not_asked_for_ever(machine):
    devices, classes = machine
    kernel = Kernel(devices, endless=True)
    camera = v4l2.list_devices(modes=True, devices=devices, classes=classes, ioctl=kernel)[0]
    assert len(camera.modes) < 1000


@linux
def test_a_device_that_answers_nothing_is_no_camera(machine):
    devices, classes = machine
    assert v4l2.list_devices(devices=devices, classes=classes) == []  # plain files, real ioctl


@linux
def test_a_device_that_may_not_be_opened_is_listed_with_what_to_do(machine, monkeypatch):
    devices, classes = machine

    def refused(path, flags):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(v4l2.os, "open", refused)
    found = v4l2.list_devices(devices=devices, classes=classes, ioctl=Kernel(devices))
    assert [camera.index for camera in found] == [0, 10]  # video1 is not the first of its camera
    assert all("group video" in camera.problem for camera in found)


@linux
def test_a_container_has_devices_without_descriptions(machine):
    devices, classes = machine
    found = v4l2.list_devices(devices=devices, classes=classes / "none", ioctl=Kernel(devices))
    assert [camera.name for camera in found] == ["video0", "video10"]


@linux
def test_no_device_is_left_open(machine):
    devices, classes = machine
    before = os.listdir("/proc/self/fd")
    v4l2.list_devices(modes=True, devices=devices, classes=classes, ioctl=Kernel(devices))
    assert os.listdir("/proc/self/fd") == before


# --- Windows and macOS


class Capture:
    """What is used of cv2.VideoCapture by probing: takes sizes up to a largest."""

    def __init__(self, is_there, largest=(1280, 720)):
        self.is_there, self.largest = is_there, largest
        self.values = {3: 640.0, 4: 480.0, 5: 30.0}

    def isOpened(self):
        return self.is_there

    def set(self, what, value):
        if value <= max(self.largest):
            self.values[what] = float(value)
        return True

    def get(self, what):
        return self.values[what]

    def release(self):
        self.is_there = False


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_where_nothing_lists_cameras_each_index_is_tried(monkeypatch, platform):
    monkeypatch.setattr(camera_list.sys, "platform", platform)
    monkeypatch.setattr(camera_list, "_enumerated", lambda backend: None)
    opened = []

    def opener(index, backend):
        opened.append((index, backend))
        return Capture(index in (0, 3))

    found = list_cameras(opener=opener)
    assert [str(camera) for camera in found] == ["0: camera 0", "3: camera 3"]
    assert {backend for _, backend in opened} == {camera_list.BACKENDS[platform][0]}
    assert found[0].backend == {"win32": "DSHOW", "darwin": "AVFOUNDATION"}[platform]


def test_sizes_are_probed_where_a_platform_does_not_tell(monkeypatch):
    monkeypatch.setattr(camera_list.sys, "platform", "win32")
    listed = [Camera(1, "Integrated", "DSHOW")]
    monkeypatch.setattr(camera_list, "_enumerated", lambda backend: listed)
    (camera,) = list_cameras(modes=True, opener=lambda index, backend: Capture(True))
    sizes = [(mode.width, mode.height) for mode in camera.modes]
    assert (640, 480) in sizes
    assert (1280, 720) in sizes
    assert (3840, 2160) not in sizes
    assert camera.modes[0].rates == (30.0,)
    (camera,) = list_cameras(modes=True, opener=lambda index, backend: Capture(False))
    assert camera.modes == ()


def test_on_windows_the_fast_backend_is_first_and_the_other_has_its_own_index(monkeypatch):
    other = [Camera(0, "Virtual", "MSMF"), Camera(1, "Integrated", "MSMF")]
    monkeypatch.setattr(camera_list, "_enumerated", lambda backend: other)
    assert ways_to(Camera(0, "Integrated", "DSHOW")) == [(0, "DSHOW"), (1, "MSMF")]
    monkeypatch.setattr(camera_list, "_enumerated", lambda backend: None)
    assert ways_to(Camera(4, "Integrated", "DSHOW")) == [(4, "DSHOW"), (4, "MSMF")]
    assert ways_to(BRIO) == [(0, "V4L2")]


def test_opencv_says_nothing_of_its_own_about_a_camera_that_is_not_there(capfd):
    backend = camera_list.BACKENDS.get(sys.platform, ("ANY",))[0]
    assert not camera_list.open_capture(99, backend).isOpened()
    assert capfd.readouterr() == ("", "")
