"""What `/view` sends to programs that mix pictures, with aiohttp as the browser."""

import asyncio
import io
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import PIL.Image
import pytest
from fixtures.waiting import until

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.live.web import viewers
from facewarp.live.web.page import WebPage
from facewarp.media.frames import Frame

FRAME = np.full((60, 80, 3), 100, np.uint8)
DRAWN = FRAME.copy()
DRAWN[20:40, 30:55] = (150, 60, 80)
COVERAGE = np.zeros(FRAME.shape[:2], np.uint8)
COVERAGE[20:40, 30:55] = 128


class Controls:
    """Knows whether layers are wanted."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.wanted: list[bool] = []

    def settings(self) -> dict[str, Any]:
        return {}

    def choices(self) -> dict[str, list[str]]:
        return {}

    def forget(self) -> None:
        """Nothing is remembered."""

    def want_layer(self, wanted: bool) -> None:
        self.wanted.append(wanted)
        self.changed.set()


@pytest.fixture
def controls() -> Controls:
    return Controls()


@pytest.fixture
def page(controls: Controls) -> Iterator[WebPage]:
    page = WebPage(controls, LiveStats(), port=0, token="a-token-for-the-tests")
    yield page
    page.close()


def play(scene: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            await asyncio.wait_for(scene(session), 60)

    asyncio.run(run())


async def opened(
    session: aiohttp.ClientSession, page: WebPage, what: str = "view"
) -> aiohttp.ClientWebSocketResponse:
    async with session.get(page.view_address) as answer:
        assert answer.status == 200
    origin = "http://" + urlsplit(page.address).netloc
    return await session.ws_connect(f"{origin}/api/{what}", headers={"Origin": origin})


def show(page: WebPage, image: np.ndarray = DRAWN, *, layer: bool = True) -> None:
    taken = EffectLayer.between(FRAME, image, COVERAGE) if layer else None
    page.present(Frame(FRAME, 0.0, 0), ProcessedFrame(image, [], {}, layer=taken), LiveStats())


def parsed(message: bytes) -> tuple[tuple[int, ...], PIL.Image.Image | None]:
    head = struct.unpack("!6H", message[:12])
    return head, PIL.Image.open(io.BytesIO(message[12:])) if message[12:] else None


def test_a_viewer_gets_the_effect_with_its_alpha(page: WebPage, controls: Controls) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        async with await opened(session, page) as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            show(page)
            head, part = parsed(await view.receive_bytes(timeout=60))
            assert head == (80, 60, 30, 20, 55, 40)
            assert part is not None
            assert part.mode == "RGBA"
            rgba = np.asarray(part).astype(float)
            alpha = rgba[..., 3:] / 255
            assert ((alpha > 0.5) & (alpha < 0.6)).all()  # 128 of 255, as it tells
            laid = FRAME[20:40, 30:55] * (1 - alpha) + rgba[..., :3] * alpha
            assert np.abs(laid - DRAWN[20:40, 30:55]).max() <= 1

    play(scene)
    until(lambda: controls.wanted == [True, False])  # nobody looks: layers cost time


def test_a_viewer_may_want_the_whole_picture(page: WebPage, controls: Controls) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        async with await opened(session, page, "view?picture") as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            show(page, layer=False)
            head, part = parsed(await view.receive_bytes(timeout=60))
            assert head == (80, 60, 0, 0, 80, 60)
            assert part is not None
            assert part.format == "JPEG"
            assert np.abs(np.asarray(part).astype(int) - DRAWN).mean() < 6

    play(scene)
    assert not any(controls.wanted)


def test_where_nothing_is_drawn_nothing_is_seen(page: WebPage, controls: Controls) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        async with await opened(session, page) as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            page.present(
                Frame(FRAME, 0.0, 0),
                ProcessedFrame(
                    FRAME, [], {}, layer=EffectLayer.between(FRAME, FRAME, COVERAGE * 0)
                ),
                LiveStats(),
            )
            head, part = parsed(await view.receive_bytes(timeout=60))
            assert head == (80, 60, 0, 0, 0, 0)
            assert part is None

    play(scene)


def test_an_effect_that_replaces_the_frame_comes_whole(page: WebPage, controls: Controls) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        async with await opened(session, page) as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            show(page, np.full((32, 26, 3), 7, np.uint8), layer=False)
            assert parsed(await view.receive_bytes(timeout=60))[0] == (26, 32, 0, 0, 26, 32)

    play(scene)


def test_pictures_that_end_leave_nothing_behind(page: WebPage, controls: Controls) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        live = await opened(session, page, "live?page=one")
        async with await opened(session, page) as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            show(page)
            assert parsed(await view.receive_bytes(timeout=60))[1] is not None
            await live.close()  # the camera's page has gone
            assert parsed(await view.receive_bytes(timeout=60)) == ((0,) * 6, None)
        async with await opened(session, page) as late:
            with pytest.raises(asyncio.TimeoutError):
                await late.receive_bytes(timeout=0.2)

    play(scene)


def test_pictures_that_stop_fade_from_view(
    page: WebPage, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        async with await opened(session, page) as view:
            assert await asyncio.to_thread(controls.changed.wait, 60)
            show(page)
            assert parsed(await view.receive_bytes(timeout=60))[1] is not None
            page.idle(LiveStats())
            with pytest.raises(asyncio.TimeoutError):
                await view.receive_bytes(timeout=0.2)
            monkeypatch.setattr(viewers, "_STALE_S", 0.0)
            page.idle(LiveStats())
            assert parsed(await view.receive_bytes(timeout=60)) == ((0,) * 6, None)

    play(scene)


def test_more_viewers_than_can_be_served_are_told(page: WebPage) -> None:
    async def scene(session: aiohttp.ClientSession) -> None:
        views = [await opened(session, page) for _ in range(5)]
        end = await views[4].receive(timeout=60)
        assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 4003)
        for view in views:
            await view.close()

    play(scene)


def test_only_the_token_opens_the_view(page: WebPage) -> None:
    origin = "http://" + urlsplit(page.address).netloc

    async def scene(session: aiohttp.ClientSession) -> None:
        for path in ("/view", "/view?token=a-token-for-another"):
            async with session.get(origin + path) as answer:
                assert answer.status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{origin}/api/view", headers={"Origin": origin})
        assert refused.value.status == 401
        await (await opened(session, page)).close()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(
                f"{origin}/api/view", headers={"Origin": "http://evil.example"}
            )
        assert refused.value.status == 403

    play(scene)
