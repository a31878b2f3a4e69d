"""What goes to each kind of address: whose face, and what a frame without one sends."""

import json
import socket

import numpy as np
import pytest
from pythonosc import osc_packet

from facewarp.errors import FacewarpError
from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.avatar_messages import ENCODERS
from facewarp.live.outputs.landmark_sender import needs_expressions, open_sender
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame


@pytest.fixture
def frame():
    return Frame(np.zeros((720, 1280, 3), np.uint8), 1.5, 45)


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        yield receiver


def record(number):
    return {
        "frame": 45, "time_s": 1.5, "face": number, "state": "tracking", "confidence": 0.9,
        "box": (0.0, 0.0, 9.0, 9.0), "landmarks": np.zeros((68, 2)), "folds_percent": 0.0,
    }  # fmt: skip


def messages(data):
    return {
        one.message.address: list(one.message.params) for one in osc_packet.OscPacket(data).messages
    }


def sent(scheme, frame, expressions=(), query=""):
    encode = ENCODERS[scheme].of_query(query, f"{scheme}://h:1?{query}")
    return encode(frame, [record(one.face) for one in expressions], expressions)


def test_an_avatar_gets_one_face_the_others_all(frame, make_expression):
    both = [make_expression(face=7), make_expression(face=2)]
    for scheme in ("vmc", "ifacialmocap"):
        assert sent(scheme, frame, both) == sent(scheme, frame, both[1:])
    assert [len(one) for one in sent("osf", frame, both)] == [1785, 1785]
    told = [face for one in sent("json", frame, both) for face in json.loads(one)["faces"]]
    assert [face["face"] for face in told] == [7, 2]


def test_a_frame_without_a_face_is_told_where_there_is_a_way(frame):
    assert sent("osf", frame) == sent("ifacialmocap", frame) == []
    assert json.loads(sent("json", frame)[0])["faces"] == []
    assert messages(sent("osc", frame)[0])["/facewarp/frame"][-1] == 0
    assert messages(sent("vmc", frame)[0])["/VMC/Ext/OK"] == [1, 0, 0, 0]


def test_json_has_head_gaze_and_values_by_name(frame, make_expression):
    one = make_expression(pitch=4, yaw=-7, gaze=((1.0, 2.0), (3.0, 4.0)))
    (datagram,) = sent("json", frame, [one])
    (face,) = json.loads(datagram)["faces"]
    assert (face["head"]["pitch"], face["head"]["yaw"]) == (4.0, -7.0)
    assert face["head"]["place_cm"] == [2.0, 1.0, -60.0]
    assert face["gaze"] == {"left": [1.0, 2.0], "right": [3.0, 4.0]}
    assert tuple(face["expressions"]) == EXPRESSIONS
    assert face["expressions"]["jawOpen"] == pytest.approx(one["jawOpen"], abs=1e-4)
    assert len(face["landmarks"]) == 68


def test_osc_has_them_in_a_bundle_of_their_own(frame, make_expression):
    one = make_expression(yaw=12)
    landmarks, expression = map(messages, sent("osc", frame, [one]))
    assert "/facewarp/landmarks" in landmarks
    assert expression["/facewarp/head"][2] == pytest.approx(12, abs=1e-4)
    np.testing.assert_allclose(expression["/facewarp/expressions"][1:], one.values, atol=1e-6)


def test_plain_json_is_as_it_was(frame, make_expression):
    (face,) = json.loads(sent("udp", frame, [make_expression()])[0])["faces"]
    assert set(face) == {"face", "state", "confidence", "box", "landmarks", "folds_percent"}


def test_only_what_needs_expressions_asks_for_them():
    assert needs_expressions("vmc://127.0.0.1:39539")
    assert not any(map(needs_expressions, ["udp://127.0.0.1:1", "-", "faces.jsonl"]))


def test_names_are_chosen_behind_the_address(frame, make_expression):
    one = make_expression()
    values = sent("vmc", frame, [one], "names=pascal")[0]
    assert b"JawOpen" in values
    assert b"jawOpen" not in values
    for scheme, query in (("vmc", "names=klingon"), ("osf", "names=vrm"), ("vmc", "other=1")):
        with pytest.raises(FacewarpError, match=r"names=.*arkit.*vrm"):
            sent(scheme, frame, [one], query)


@pytest.mark.parametrize("scheme", sorted(ENCODERS))
def test_a_frame_arrives(scheme, port, frame, make_expression):
    sender = open_sender(f"{scheme}://127.0.0.1:{port.getsockname()[1]}")
    one = make_expression()
    made = ProcessedFrame(frame.image, [record(0)], {}, (), [one])
    sender.present(frame, made, LiveStats())
    assert port.recv(65536)
    sender.close()


def test_an_unknown_host_is_one_clear_error(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FacewarpError, match=r"host is not known.*vmc://nowhere:39539"):
        open_sender("vmc://nowhere:39539")
