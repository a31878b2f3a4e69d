"""Frames to the program and back: over WebRTC, with aiortc as the browser, and as JPEGs."""

import asyncio
import gc
import io
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiortc
import av
import numpy as np
import PIL.Image
import pytest
from aiortc.codecs import h264, vpx
from aiortc.rtp import RtpPacket

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.timing import LiveStats
from facewarp.live.web.aiortc_tuning import MAX_BPS, START_BPS, PromptBuffer, raised_bitrates
from facewarp.live.web.connections import BUSY, TAKEN
from facewarp.live.web.frame_link import TICKS_PER_S, SessionClock, WebFrame
from facewarp.live.web.page import WebPage
from facewarp.live.web.webrtc import PeerLink, with_addresses_only, with_start_bitrate

SIZE = (160, 120)
CORNERS = np.array([(220, 40, 40), (40, 190, 60), (50, 60, 220), (210, 200, 60)])


class Controls:
    """Has settings and changes none."""

    def settings(self) -> dict[str, Any]:
        return {"effect": "labels", "opacity": 1.0}

    def forget(self) -> None:
        """Nothing is remembered."""

    def want_layer(self, wanted: bool) -> None:
        """Nobody looks."""

    def choices(self) -> dict[str, list[str]]:
        return {"effect": ["labels"]}


def corners(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Four flat quarters: any turning or mirroring gives another picture."""
    width, height = size
    small = CORNERS.reshape(2, 2, 3).astype(np.uint8)
    return np.ascontiguousarray(
        np.repeat(np.repeat(small, height // 2, 0), width // 2, 1), dtype=np.uint8
    )


def quarters(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return np.array([image[place] for place in places]).astype(int)


class Program:
    """A page with a loop that turns colours into their opposites.

    Attributes:
        seen: Frames that were worked on.
        wait: Set to let work go on.
    """

    def __init__(self) -> None:
        self.stats = LiveStats()
        self.page = WebPage(Controls(), self.stats, port=0, token="a-token-for-the-tests")
        self.seen: list[WebFrame] = []
        self.wait = threading.Event()
        self.wait.set()
        self.crop = 0
        self.loop = LiveLoop(self.page, self.work, [self.page], self.stats)
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def work(self, frame: WebFrame) -> ProcessedFrame:
        self.seen.append(frame)
        self.wait.wait(30)
        image = 255 - frame.image
        record = {"face": np.int64(3), "state": "tracking", "confidence": np.float32(0.875)}
        return ProcessedFrame(image[: image.shape[0] - self.crop], [record], {"register": 0.01})

    def close(self) -> None:
        self.wait.set()
        self.loop.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.close()


class Visitor:
    """A page that has been opened, and its connection."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        self.address = address
        self.origin = "http://" + urlsplit(address).netloc

    async def visit(self, page: str = "one", **query: str) -> aiohttp.ClientWebSocketResponse:
        async with self.session.get(self.address) as answer:
            assert answer.status == 200
        return await self.session.ws_connect(
            f"{self.origin}/api/live", params={"page": page, **query},
            headers={"Origin": self.origin}, max_msg_size=0,
        )  # fmt: skip


Scene = Callable[[Visitor], Awaitable[None]]


def play(program: Program, scene: Scene) -> None:
    async def run() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            await asyncio.wait_for(scene(Visitor(session, program.page.address)), 90)

    asyncio.run(run())


async def hear(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        message = await socket.receive(30)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        told: dict[str, Any] = message.json()
        if told["type"] == kind:
            return told


async def closed_with(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in socket:
        pass
    return socket.close_code


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def count(kind: type) -> int:
    """How many of a kind there are."""
    gc.collect()
    return sum(type(thing) is kind for thing in gc.get_objects())


def jpeg(image: np.ndarray, tick: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return struct.pack("!I", tick) + buffer.getvalue()


async def picture(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, np.ndarray]:
    """The next picture and its tick."""
    while True:
        message = await socket.receive(30)
        if message.type == aiohttp.WSMsgType.BINARY:
            (tick,) = struct.unpack_from("!I", message.data)
            with PIL.Image.open(io.BytesIO(message.data[4:])) as image:
                return tick, np.array(image)


class Camera(aiortc.MediaStreamTrack):
    """Frames at a rate; their timestamps are those of 30 a second. Sizes change every 15."""

    kind = "video"
    STEP_US = 33_400
    STEP = 3006  # the same in 1/90000 s

    def __init__(self, sizes: list[tuple[int, int]] | None = None, rate: float = 30.0) -> None:
        super().__init__()
        self._sizes = sizes
        self._rate = rate
        self._began = time.perf_counter()
        self.sent = 0

    async def recv(self) -> av.VideoFrame:
        due = self._began + self.sent / self._rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        size = self._sizes[min(self.sent // 15, len(self._sizes) - 1)] if self._sizes else SIZE
        frame = av.VideoFrame.from_ndarray(corners(size), format="rgb24")
        frame.pts, frame.time_base = self.STEP_US * self.sent, Fraction(1, 1_000_000)
        self.sent += 1
        return frame


async def call(
    socket: aiohttp.ClientWebSocketResponse, camera: Camera
) -> tuple[aiortc.RTCPeerConnection, aiortc.MediaStreamTrack]:
    """A browser's call: its camera out, and the track that comes back."""
    peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    back: asyncio.Future[aiortc.MediaStreamTrack] = asyncio.get_running_loop().create_future()
    peer.on("track", lambda track: back.done() or back.set_result(track))
    peer.addTransceiver(camera, "sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    await socket.send_json({"type": "offer", "sdp": peer.localDescription.sdp})
    answer = await hear(socket, "answer")
    await peer.setRemoteDescription(aiortc.RTCSessionDescription(answer["sdp"], "answer"))
    return peer, await back


def test_a_visit_is_told_how_it_goes(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        assert program.page.notice == "waiting for a browser to open the page"
        async with await visitor.visit() as socket:
            told = await hear(socket, "stats")
            assert told["notice"] == "waiting for the page to start its camera"
            assert told["settings"] == Controls().settings()
            assert told["faces"] == []
            await socket.send_json({"type": "pictures"})
            await hear(socket, "pictures")
            for tick in range(1, 6):
                await socket.send_bytes(jpeg(corners(), 3000 * tick))
                await picture(socket)
            await hear(socket, "stats")
            told = await hear(socket, "stats")
            assert told["faces"] == [{"id": 3, "state": "tracking", "confidence": 0.875}]
            assert told["size"] == list(SIZE)
            assert told["frames"] == 5
            assert told["age_ms"] > 0
            assert told["notice"] is None
            await socket.send_json({"type": "ping", "id": 7})
            assert (await hear(socket, "pong"))["id"] == 7
        await until(lambda: program.page.notice is not None)

    play(program, scene)


def test_pictures_come_back_under_their_ticks(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            await socket.send_json({"type": "pictures"})
            for tick in (5, 3005, 2**32 - 1):
                await socket.send_bytes(jpeg(corners(), tick))
                returned, image = await picture(socket)
                assert returned == tick
                assert image.shape == (120, 160, 3)
                assert np.abs(quarters(image) - (255 - CORNERS)).max() < 12

    play(program, scene)
    times = [frame.time for frame in program.seen]
    assert np.diff(times)[0] == pytest.approx(3000 / TICKS_PER_S)
    assert [frame.index for frame in program.seen] == [0, 1, 2]


def test_only_the_newest_picture_waits(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            await socket.send_json({"type": "pictures"})
            program.wait.clear()
            for tick in range(1, 41):
                await socket.send_bytes(jpeg(corners(), 3000 * tick))
                if tick == 1:
                    await until(lambda: len(program.seen) == 1)
            await socket.send_json({"type": "ping", "id": 0})  # answered after all of them
            await hear(socket, "pong")
            await asyncio.sleep(0.3)
            program.wait.set()
            while (await picture(socket))[0] != 40 * 3000:
                pass
            # Dropped before or after decoding: how many in each queue depends on the threads.
            await until(lambda: program.page._arrivals.dropped + program.stats.dropped > 0)

    play(program, scene)
    assert len(program.seen) <= 4  # one was worked on, one decoded, one waited


def test_a_picture_that_is_not_taken_is_answered_once(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            await socket.send_json({"type": "pictures"})
            await hear(socket, "pictures")
            for tick in range(1, 4):
                await socket.send_bytes(jpeg(np.zeros((1, 1, 3), np.uint8), 3000 * tick))
                await asyncio.sleep(0.1)
            await socket.send_bytes(struct.pack("!I", 12000) + b"nonsense")
            told = [(await hear(socket, "refused"))["text"] for _ in range(2)]
            assert "the picture has 1x1 pixels" in told[0]
            assert "not a picture that can be read" in told[1]
            await socket.send_bytes(jpeg(corners(), 15000))
            assert (await picture(socket))[0] == 15000

    play(program, scene)


def test_what_is_no_picture_is_passed_over(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            await socket.send_bytes(jpeg(corners(), 1))  # nothing was asked for yet
            await socket.send_json({"type": "pictures"})
            good = jpeg(corners(), 6000)
            huge = jpeg(np.zeros((1300, 2000, 3), np.uint8), 4000)
            for message in (b"", b"\0\0\0\1", b"\0\0\0\2nonsense", good[:2000], huge):
                await socket.send_bytes(message)
            await socket.send_bytes(good)
            await socket.send_bytes(good)  # the same moment again
            await socket.send_bytes(jpeg(corners(), 5000))  # an earlier one
            await socket.send_bytes(jpeg(corners(), 9000))
            ticks = []
            while 9000 not in ticks:
                ticks.append((await picture(socket))[0])
            assert set(ticks) <= {6000, 9000}

    play(program, scene)


@pytest.mark.parametrize(
    "message",
    [
        "", "nonsense", "[]", "null", "[" * 3000, '{"type": 3}', '{"type": "offer"}',
        '{"type": "offer", "sdp": 7}', '{"type": "offer", "sdp": ""}',
        '{"type": "offer", "sdp": "v=0\\r\\nm=video"}',
        '{"type": "offer", "sdp": "v=0\\r\\nm=video 9 X 1\\r\\nm=audio 9 X 2\\r\\n"}',
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_the_visit_goes_on(program: Program, message: str) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            await socket.send_str(message)
            assert (await hear(socket, "refused"))["text"]
            await socket.send_json({"type": "pictures"})
            await socket.send_bytes(jpeg(corners(), 1))
            assert (await picture(socket))[0] == 1

    play(program, scene)


def test_one_page_at_a_time(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        first = await visitor.visit("one")
        await first.send_json({"type": "pictures"})
        await hear(first, "pictures")
        second = await visitor.visit("two")
        assert await closed_with(second) == BUSY
        await first.send_bytes(jpeg(corners(), 1))
        assert (await picture(first))[0] == 1
        third = await visitor.visit("two", take_over="1")
        assert await closed_with(first) == TAKEN
        await third.send_json({"type": "pictures"})
        await third.send_bytes(jpeg(corners(), 1))
        assert (await picture(third))[0] == 1
        reloaded = await visitor.visit("two")
        assert await closed_with(third) == TAKEN
        await hear(reloaded, "stats")
        fourth = await visitor.visit("three")  # nothing is under way: nobody is in the way
        assert await closed_with(reloaded) == TAKEN
        await fourth.close()

    play(program, scene)


def test_the_program_says_goodbye(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        socket = await visitor.visit()
        await hear(socket, "stats")
        program.loop.stop()
        assert await closed_with(socket) == 1001

    play(program, scene)


@pytest.mark.slow
def test_a_camera_comes_back_over_webrtc(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            peer, back = await call(socket, camera := Camera())
            frames = [await back.recv() for _ in range(12)]
            image = frames[-1].to_ndarray(format="rgb24")
            assert image.shape == (120, 160, 3)
            assert np.abs(quarters(image) - (255 - CORNERS)).max() < 20
            stamps = np.diff([frame.pts for frame in frames])
            assert (stamps > 0).all()
            assert (stamps % Camera.STEP == 0).all()  # they are the camera's own
            assert camera.sent >= 12
            await peer.close()

    play(program, scene)
    ticks = [frame.tick for frame in program.seen]
    assert (np.diff(ticks) % Camera.STEP == 0).all()
    assert all(frame.captured > 0 for frame in program.seen)


@pytest.mark.slow
def test_sizes_may_change_on_the_way(program: Program) -> None:
    program.crop = 1  # odd sizes are for nobody's encoder

    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            peer, back = await call(socket, Camera([SIZE, (320, 240), (96, 64)]))
            sizes = set()
            while (96, 64) not in sizes:
                frame = await back.recv()
                sizes.add((frame.width, frame.height))
            assert sizes <= {SIZE, (320, 240), (96, 64)}
            await peer.close()

    play(program, scene)


@pytest.mark.slow
def test_slow_work_lets_nothing_pile_up(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            peer, back = await call(socket, camera := Camera(rate=60))
            await back.recv()
            program.wait.clear()
            before, frames, pictures = len(program.seen), count(WebFrame), count(av.VideoFrame)
            await until(lambda: camera.sent > 150)
            await asyncio.sleep(0.5)
            assert len(program.seen) <= before + 1
            assert count(WebFrame) <= frames + 3
            assert count(av.VideoFrame) <= pictures + 12  # the test's own peer has some
            program.wait.set()
            await until(lambda: len(program.seen) > before + 3)
            assert program.seen[before + 3].tick > 100 * Camera.STEP  # nothing old comes after it
            await peer.close()

    play(program, scene)


@pytest.mark.slow
def test_the_end_of_a_visit_frees_everything(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        for _ in range(2):
            socket = await visitor.visit()
            peer, back = await call(socket, Camera())
            await back.recv()
            assert any(thread.name == "video-decoder" for thread in threading.enumerate())
            await peer.close()
            await socket.close()
            await until(lambda: program.page.notice == "waiting for a browser to open the page")

    links = count(PeerLink)
    play(program, scene)
    program.close()
    left = {thread.name for thread in threading.enumerate()}
    assert not {name for name in left if name.startswith(("video-decoder", "web", "asyncio_"))}
    program.seen.clear()
    gc.collect()
    assert count(PeerLink) == links


@pytest.mark.slow
def test_a_call_in_the_middle_of_a_call_replaces_it(program: Program) -> None:
    async def scene(visitor: Visitor) -> None:
        async with await visitor.visit() as socket:
            first, back = await call(socket, Camera())
            await back.recv()
            second, back = await call(socket, Camera())
            await back.recv()
            await socket.send_json({"type": "pictures"})
            await hear(socket, "pictures")
            await socket.send_bytes(jpeg(corners(), 1))
            assert (await picture(socket))[0] == 1
            await first.close()
            await second.close()

    play(program, scene)
    times = [frame.time for frame in program.seen]
    assert (np.diff(times) > 0).all()


def test_one_clock_for_all_links() -> None:
    clock = SessionClock()
    first, second = (SimpleNamespace(origin_s=None) for _ in range(2))
    stamps = [clock.stamp(first, tick) for tick in (900, 90_900, 180_900)]
    stamps.append(clock.stamp(first, 180_900))  # the same again
    stamps.append(clock.stamp(second, 5))
    stamps.append(clock.stamp(second, 95_005))
    assert stamps[3] is None
    times, indices = zip(*[stamp for stamp in stamps if stamp is not None], strict=True)
    assert indices == (0, 1, 2, 3, 4)
    assert np.diff(times)[:2] == pytest.approx([1.0, 1.0])
    assert (np.diff(times) > 0).all()
    assert times[4] - times[3] == pytest.approx(95_000 / TICKS_PER_S)


OFFER = """v=0
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102
a=candidate:1 1 udp 2113937151 8f3c1a2e-1111-4c3e-9d1e-aaaaaaaaaaaa.local 41000 typ host
a=candidate:2 1 udp 2113937151 192.168.1.7 41001 typ host
a=candidate:3 1 udp 2113937151 local 41001 typ host
a=end-of-candidates
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1
"""


def candidates(sdp: str) -> list[str]:
    return [line.split()[0] for line in sdp.splitlines() if line.startswith("a=candidate")]


def test_candidates_that_are_mere_names_are_left_out() -> None:
    left = with_addresses_only(OFFER)
    assert candidates(left) == ["a=candidate:2"]
    assert "end-of-candidates" not in left
    assert len(left.splitlines()) == len(OFFER.splitlines()) - 3


@pytest.mark.parametrize(
    "line",
    [
        "a=candidate:1 1 udp 2113937151\tabc.local 41000 typ host",
        "a=candidate:1 1  udp 2113937151 abc.local 41000 typ host",
        "A=CANDIDATE:1 1 udp 2113937151 abc.LOCAL 41000 typ host",
        "a=candidate:1 1 udp 1 224.0.0.251 5353 typ host",
        "a=candidate:1 1 udp 1 ff02::fb 5353 typ host",
        "a=candidate:1 1 udp 1 255.255.255.255 5353 typ host",
        "a=candidate:1 1 udp 1 0.0.0.0 5353 typ host",
        "a=candidate:1 1 udp",
        "a=candidate:",
    ],
)
def test_no_spelling_of_a_candidate_reaches_names_or_groups(line: str) -> None:
    assert with_addresses_only(f"v=0\r\n{line}\r\nm=video 9\r\n") == "v=0\r\nm=video 9\r\n"


def test_an_offer_calls_no_more_places_than_a_browser_has() -> None:
    many = "".join(f"a=candidate:{n} 1 udp 1 10.0.0.{n} 5000 typ host\r\n" for n in range(200))
    assert len(candidates(with_addresses_only(many))) == 32


def test_whatever_an_offer_makes_aiortc_raise_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: Any, description: Any) -> None:
        raise RuntimeError("coroutine raised StopIteration")

    async def run() -> None:
        monkeypatch.setattr(aiortc.RTCPeerConnection, "setRemoteDescription", fail)
        peer = PeerLink(lambda arrival: None)
        with pytest.raises(FacewarpError, match="not understood"):
            await peer.answer(OFFER)
        await peer.close()

    asyncio.run(run())


def test_the_start_bitrate_is_asked_for_once_a_codec() -> None:
    lines = with_start_bitrate(OFFER.replace("\n", "\r\n"), 2500).split("\r\n")
    assert "a=fmtp:96 x-google-start-bitrate=2500" in lines
    assert "a=fmtp:97 apt=96" in lines
    wanted = "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;x-google-start-bitrate=2500"
    assert wanted in lines
    assert len([line for line in lines if "start-bitrate" in line]) == 2
    assert lines[-1] == ""


def test_bitrates_are_raised_only_for_the_time_of_the_server() -> None:
    before = (vpx.DEFAULT_BITRATE, vpx.MAX_BITRATE, h264.MAX_BITRATE)
    with raised_bitrates():
        encoder = vpx.Vp8Encoder()
        assert encoder.target_bitrate == START_BPS
        encoder.target_bitrate = 10 * MAX_BPS
        assert encoder.target_bitrate == MAX_BPS
    assert before == (vpx.DEFAULT_BITRATE, vpx.MAX_BITRATE, h264.MAX_BITRATE)


def packets(sizes: list[int], start: int = 0) -> list[RtpPacket]:
    """Frames of so many packets each, every packet with a letter of its own."""
    made = []
    for frame, count in enumerate(sizes):
        for part in range(count):
            packet = RtpPacket(
                sequence_number=(start + len(made)) % (1 << 16),
                timestamp=3000 * frame,
                marker=int(part == count - 1),
            )
            packet._data = bytes([65 + len(made) % 26])
            made.append(packet)
    return made


def joined(buffer: PromptBuffer, order: list[RtpPacket]) -> list[tuple[int, bytes, int]]:
    """What comes out: after which packet, what data, of which timestamp."""
    out = []
    for i, packet in enumerate(order):
        _, frame = buffer.add(packet)
        if frame is not None:
            out.append((i, frame.data, frame.timestamp))
    return out


@pytest.mark.parametrize("start", [0, 400, 65_530])
def test_a_frame_is_handed_over_with_its_last_packet(start: int) -> None:
    out = joined(PromptBuffer(), packets([3, 1, 4], start))
    assert out == [(2, b"ABC", 0), (3, b"D", 3000), (7, b"EFGH", 6000)]


def test_packets_may_come_in_any_order() -> None:
    a, b, c, d, e = packets([3, 2])
    assert joined(PromptBuffer(), [a, c, b, d, e]) == [(3, b"ABC", 0), (4, b"DE", 3000)]
    assert joined(PromptBuffer(), [a, b, d, e, c, *packets([3, 2, 2])[5:]])[0] == (4, b"ABC", 0)


def test_a_frame_with_a_packet_missing_is_not_handed_over() -> None:
    a, b, c, d, e, f = packets([2, 2, 2])
    assert joined(PromptBuffer(), [a, b, d, e, f]) == [(1, b"AB", 0)]
    late = joined(PromptBuffer(), [a, b, d, e, f, c])
    assert late[0] == (1, b"AB", 0)
    assert late[1][1] == b"CD"
