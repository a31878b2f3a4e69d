"""Faces sent on: what arrives at a loopback socket or in a file, read by parsers of the tests."""

import io
import json
import logging
import os
import socket
import struct
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from fixtures.waiting import until

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.landmark_messages import DATAGRAM_BYTES, json_datagrams, osc_datagrams
from facewarp.live.outputs.landmark_sender import LineSender, open_sender
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.track_records import FIELDS, FILE


@pytest.fixture
def frame():
    return Frame(np.zeros((720, 1280, 3), np.uint8), 12.34567, 371)


@pytest.fixture
def face(rng):
    def make(number=0, state="tracking", far=0.0):
        landmarks = rng.uniform(100, 1200, (68, 2)) + far
        return {
            "frame": 371,
            "time_s": 12.34567,
            "face": number,
            "state": state,
            "confidence": 0.97318,
            "box": (*landmarks.min(0), *landmarks.max(0)),
            "landmarks": landmarks,
            "folds_percent": 0.0123,
        }

    return make


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request):
    """A socket that listens, and HOST:PORT of it."""
    is_v6 = ":" in request.param
    with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((request.param, 0))
        except OSError:
            pytest.skip(f"this machine has no {request.param}")
        receiver.settimeout(60)
        port = receiver.getsockname()[1]
        yield receiver, f"[::1]:{port}" if is_v6 else f"{request.param}:{port}"


def read_osc(packet):
    """(time tag, [(address, type tags, arguments)]) of a bundle; strict."""

    def text(at):
        end = packet.index(b"\0", at)
        after = (end + 4) & ~3
        assert packet[end:after] == bytes(after - end)
        return packet[at:end].decode("ascii"), after

    assert len(packet) % 4 == 0
    assert packet[:8] == b"#bundle\0"
    seconds, fraction = struct.unpack(">II", packet[8:16])
    found, at = [], 16
    while at < len(packet):
        (size,) = struct.unpack_from(">i", packet, at)
        assert size % 4 == 0
        end = at + 4 + size
        address, at = text(at + 4)
        tags, at = text(at)
        assert tags[0] == ","
        arguments = []
        for tag in tags[1:]:
            if tag == "s":
                value, at = text(at)
            else:
                (value,) = struct.unpack_from(f">{tag}", packet, at)
                at += 4
            arguments.append(value)
        assert at == end
        found.append((address, tags[1:], arguments))
    return (seconds, fraction), found


# --- datagrams


def test_json_arrives(listener, frame, face):
    receiver, place = listener
    sender, sent = open_sender(f"udp://{place}"), face()
    sender.present(frame, ProcessedFrame(frame.image, [sent], {}), LiveStats())
    packet = receiver.recv(65536)
    sender.close()
    assert len(packet) <= DATAGRAM_BYTES
    got = json.loads(packet)
    assert {name: got[name] for name in ("frame", "width", "height", "part", "parts")} == {
        "frame": 371, "width": 1280, "height": 720, "part": 1, "parts": 1,
    }  # fmt: skip
    assert got["time_s"] == pytest.approx(12.34567, abs=1e-4)
    (only,) = got["faces"]
    assert set(only) == set(sent) - {"frame", "time_s"}
    assert (only["face"], only["state"]) == (0, "tracking")
    assert only["confidence"] == pytest.approx(0.97318, abs=1e-4)
    np.testing.assert_allclose(only["landmarks"], sent["landmarks"], atol=0.051)
    np.testing.assert_allclose(only["box"], sent["box"], atol=0.051)


def test_osc_arrives(listener, frame, face):
    receiver, place = listener
    sender, sent = open_sender(f"osc://{place}"), face(number=3, state="uncertain")
    sender.send(frame, [sent])
    packet = receiver.recv(65536)
    sender.close()
    assert len(packet) <= DATAGRAM_BYTES
    tag, (start, about, points) = read_osc(packet)
    assert tag == (0, 1)  # immediately: no clock of either side can hold a frame back
    assert start[:2] == ("/facewarp/frame", "ifiii")
    assert start[2] == [371, pytest.approx(12.34567), 1280, 720, 1]
    assert about[:2] == ("/facewarp/face", "isfffff")
    assert about[2] == [3, "uncertain", pytest.approx(0.97318), *map(pytest.approx, sent["box"])]
    assert points[:2] == ("/facewarp/landmarks", "i" + 136 * "f")
    assert points[2][0] == 3
    np.testing.assert_allclose(points[2][1:], sent["landmarks"].ravel(), rtol=1e-6)


@pytest.mark.parametrize("form", ["udp", "osc"])
def test_a_frame_without_a_face_is_told_too(listener, frame, form):
    receiver, place = listener
    sender = open_sender(f"{form}://{place}")
    sender.send(frame, [])
    packet = receiver.recv(65536)
    sender.close()
    if form == "udp":
        assert json.loads(packet)["faces"] == []
    else:
        assert [(one[0], one[2][-1]) for one in read_osc(packet)[1]] == [("/facewarp/frame", 0)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_datagram_is_larger_than_a_network_takes(frame, face, count):
    faces = [face(number) for number in range(count)]
    datagrams = json_datagrams(frame, faces)
    assert max(map(len, datagrams)) <= DATAGRAM_BYTES
    parts = [json.loads(datagram) for datagram in datagrams]
    assert [part["part"] for part in parts] == list(range(1, len(parts) + 1))
    assert {part["parts"] for part in parts} == {len(parts)}
    assert [one["face"] for part in parts for one in part["faces"]] == list(range(count))

    bundles = osc_datagrams(frame, faces)
    assert max(map(len, bundles)) <= DATAGRAM_BYTES
    messages = [read_osc(one)[1] for one in bundles]
    assert {tuple(one[0][2][2:]) for one in messages} == {(1280, 720, count)}
    ids = [m[2][0] for one in messages for m in one if m[0] == "/facewarp/landmarks"]
    assert ids == list(range(count))


def test_faces_that_fit_together_share_a_datagram(frame, face):
    short = [{**face(number), "landmarks": np.zeros((4, 2))} for number in range(3)]
    assert len(json_datagrams(frame, short)) == len(osc_datagrams(frame, short)) == 1


def test_the_file_is_named_as_in_track_data(frame, face):
    clip = replace(frame, source="talk.mp4")
    told = json.loads(json_datagrams(clip, [{**face(3), "file": "talk.mp4"}])[0])
    assert told["file"] == "talk.mp4"
    (sent,) = told["faces"]
    assert {*sent, "frame", "time_s", "file"} == {*FIELDS, FILE}
    assert json.loads(json_datagrams(clip, [])[0])["file"] == "talk.mp4"
    assert "file" not in json.loads(json_datagrams(frame, [])[0])


def test_what_is_not_a_number_is_null(frame, face):
    lost = {**face(), "confidence": float("nan")}
    lost["landmarks"][0] = np.inf
    (datagram,) = json_datagrams(frame, [lost])
    only = json.loads(datagram, parse_constant=pytest.fail)["faces"][0]
    assert only["confidence"] is None
    assert only["landmarks"][0] == [None, None]


def test_a_missing_listener_is_said_once_and_sending_goes_on(frame, face, caplog):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    sender = open_sender(f"udp://127.0.0.1:{port}")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            sender.send(frame, [face()])
            time.sleep(0.002)  # for the answer to come back
    said = [record for record in caplog.records if "nobody listens" in record.getMessage()]
    assert len(said) == len(caplog.records) <= 1
    if sys.platform.startswith("linux"):
        assert len(said) == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(60)
        for _ in range(3):
            sender.send(frame, [face()])
        assert json.loads(receiver.recv(65536))["frame"] == 371
    sender.close()


def test_a_face_too_large_for_any_datagram_is_said_once(listener, frame, face, caplog):
    receiver, place = listener
    sender = open_sender(f"udp://{place}")
    huge = {**face(), "landmarks": np.full((20_000, 2), 1234.5)}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            sender.send(frame, [huge])
        sender.send(frame, [face()])
    assert len(json.loads(receiver.recv(65536))["faces"][0]["landmarks"]) == 68
    assert [r.getMessage().count("does not fit") for r in caplog.records] == [1]
    sender.close()


# --- where to


@pytest.mark.parametrize(
    "target",
    [
        "udp://", "udp://localhost", "osc://:9000", "udp://localhost:0", "udp://localhost:99999",
        "udp://localhost:nine", "udp://[::1:9000", "udp://localhost:9000/path", "localhost:9000",
        "tcp://localhost:9000", "faces.txt", "",
    ],
)  # fmt: skip
def test_a_target_that_is_none_is_told(target):
    with pytest.raises(FacewarpError, match=r"udp://HOST:PORT.*FILE\.jsonl"):
        open_sender(target)


def test_an_unknown_host_is_told(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FacewarpError, match=r"host is not known.*nowhere"):
        open_sender("osc://nowhere:9000")


def test_a_file_in_no_folder_is_told(tmp_path):
    with pytest.raises(FacewarpError, match=r"missing.faces\.jsonl"):
        open_sender(str(tmp_path / "missing" / "faces.jsonl"))
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(FacewarpError, match="folder"):
        open_sender(str(tmp_path / "folder.jsonl"))


# --- lines


def test_a_file_has_a_line_a_frame_as_they_come(tmp_path, frame, face):
    path = tmp_path / "faces.jsonl"
    path.write_text("from another day\n")
    sender = open_sender(str(path))
    sender.send(frame, [face(0), face(1)])
    until(lambda: path.read_text().endswith("\n"))  # before it is closed
    sender.send(frame, [])
    sender.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert [one["face"] for one in first["faces"]] == [0, 1]
    assert second == {
        "frame": 371, "time_s": 12.3457, "width": 1280, "height": 720, "faces": [],
    }  # fmt: skip


def test_a_dash_is_standard_output(capsys, frame, face):
    sender = open_sender("-")
    sender.send(frame, [face()])
    sender.close()
    assert json.loads(capsys.readouterr().out)["frame"] == 371
    assert not sys.stdout.closed


def test_a_reader_that_does_not_read_holds_nothing_up(frame, face, caplog):
    read, write = os.pipe()
    sender = LineSender("a pipe", os.fdopen(write, "w"))
    with caplog.at_level(logging.WARNING):
        for _ in range(600):  # more than the pipe and the queue hold
            sender.send(frame, [face()])
    assert [r.getMessage() for r in caplog.records] == [
        "a pipe: its reader is slower than the frames; some are not sent"
    ]
    with os.fdopen(read, "rb") as stream:  # closed: the writer meets an error, and ends
        assert json.loads(stream.readline())["frame"] == 371
    sender.close()
    assert not sender._thread.is_alive()


def test_a_reader_that_has_gone_is_said_once(frame, face, caplog):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    sender = LineSender("-", Gone())
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            sender.send(frame, [face()])
        sender.close()
    (record,) = caplog.records
    assert "Broken pipe" in record.getMessage()


# --- nothing unasked


def test_no_socket_is_opened_unless_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("a socket"))
    open_sender(str(tmp_path / "faces.jsonl")).close()
    open_sender("-").close()


@pytest.mark.skipif(os.name != "posix", reason="files are not limited elsewhere")
def test_a_full_disk_fails_the_session_and_leaves_whole_lines(tmp_path, frame, face, small_files):
    path = tmp_path / "faces.jsonl"
    sender = open_sender(str(path))
    with small_files(20_000):
        for index in range(60):
            sender.send(replace(frame, index=index), [face()])
        with pytest.raises(FacewarpError, match=r"no space is left to write .*faces\.jsonl"):
            sender.close()
    text = path.read_text()
    told = [json.loads(line)["frame"] for line in text.splitlines()]
    assert text.endswith("\n")
    assert told == list(range(len(told)))
    assert 0 < len(told) < 60
