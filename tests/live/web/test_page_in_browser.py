"""The live page in a real browser: a headless Chromium whose camera plays the demo's portrait."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import PIL.Image
import pytest
from fixtures.engines import QUICKEST
from fixtures.waiting import COUNTED_PIECES
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from facewarp.face.effects.factory import make_effect
from facewarp.face.face import Face
from facewarp.face.template.template import Template
from facewarp.face.tracking.tracker import FaceTracker

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
CAMERA_RATE = 10  # frames a second: enough to see that it goes on, little to encode and decode
PATIENCE_S = 120  # for anything: other work may keep the machine busy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.waits,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver (chromedriver)"
    ),
]

QUIET = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
]  # fmt: skip
CAMERA = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
NO_ADDRESSES = r"""
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function (given) {
  return set.call(this, { type: given.type, sdp: given.sdp.replace(/a=candidate.*\r\n/g, "") });
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message) {
  const isText = typeof message === "string";
  return send.call(this, isText ? message.replace(/a=candidate.*?\\r\\n/g, "") : message);
};
"""
KEPT_OFFERS = """
window.offers = [];
const set = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function (given) {
  window.offers.push(this.localDescription.sdp);
  return set.call(this, given);
};
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera's view: the demo clip's first frame, over and over, so that moments compare."""
    with av.open(str(files("facewarp.assets").joinpath("demo/astronaut.mp4"))) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    picture = cv2.resize(frame, (640, 480), interpolation=cv2.INTER_AREA)
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    with av.open(str(path), "w", format="yuv4mpegpipe") as container:
        video = container.add_stream("wrapped_avframe", rate=CAMERA_RATE)
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        for _ in range(5):
            shown = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(video.encode(shown.reformat(format="yuv420p")))
        container.mux(video.encode(None))
    return path


class Program:
    """`facewarp live --web` in a process of its own.

    Attributes:
        address: What it printed.
    """

    def __init__(self, *options: str) -> None:
        code = "from facewarp.cli.app import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "live", "--web", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "FACEWARP_ENGINE": QUICKEST,
                "OMP_NUM_THREADS": "1",
                "PYTHONUNBUFFERED": "1",
            },
        )
        assert self.process.stdout is not None
        said = ""
        while (found := re.search(r"http://\S+token=\S+", said)) is None:
            line = self.process.stdout.readline()
            assert line, said
            said += line
        self.address = found[0]

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Page:
    """The page in a browser, and what a user does there."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)
        self.until(lambda: self.state in ("idle", "trouble"))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Waits for something; shows what the page says if it does not come."""
        end = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            if time.monotonic() > end:
                pytest.fail(f"waited too long; the page says: {self.text('body')[:600]}")
            time.sleep(0.1)
        return value

    @property
    def state(self) -> str:
        return str(self.run("return document.body.dataset.state"))

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def choose(self, group: str, value: str) -> None:
        self.click(f"label:has(> input[name={group}][value={value}])")

    def press(self, key: str) -> None:
        self.find("body").send_keys(key)

    def setting(self, name: str) -> Any:
        asked = "const done = arguments[0]; fetch('api/state').then((r) => r.json()).then(done)"
        return self.driver.execute_async_script(asked)["settings"][name]

    def set(self, **settings: Any) -> None:
        asked = (
            "const [body, done] = arguments;"
            "const headers = { 'Content-Type': 'application/json' };"
            "fetch('api/settings', { method: 'POST', headers, body }).then((r) => done(r.status))"
        )
        assert self.driver.execute_async_script(asked, json.dumps(settings)) == 200

    def view(self, width: int, height: int) -> None:
        """Makes the window so large, and a telephone's if it is narrow."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def picture(self, selector: str) -> np.ndarray:
        """What a video or canvas shows, (H, W, 3)."""
        drawn = self.run(
            "const seen = document.querySelector(arguments[0]);"
            "const paper = document.createElement('canvas');"
            "paper.width = seen.videoWidth ?? seen.width;"
            "paper.height = seen.videoHeight ?? seen.height;"
            "paper.getContext('2d').drawImage(seen, 0, 0);"
            "return paper.toDataURL('image/png');",
            selector,
        )
        data = base64.b64decode(drawn.partition(",")[2])
        return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))

    def start(self) -> None:
        self.click("#start")
        self.until(lambda: self.state == "live")

    def complaints(self) -> list[str]:
        """Of the console, but for answers that were meant to be errors."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if "Failed to load resource" not in str(entry)]


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    program = Program("--no-mirror")
    yield program
    program.close()


@pytest.fixture
def mortal() -> Iterator[Program]:
    """A program of the test's own."""
    program = Program("--no-mirror")
    yield program
    program.close()


def start_browser(profile: Path, *flags: str) -> webdriver.Chrome:
    options = Options()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*QUIET, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_script_timeout(PATIENCE_S)
    return driver


@pytest.fixture(scope="module")
def with_camera(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser with a camera, for all tests, each of which has a tab: to start one takes long."""
    flags = (CAMERA, ALLOWED, f"--use-file-for-fake-video-capture={clip}")
    driver = start_browser(tmp_path_factory.mktemp("browser") / "profile", *flags)
    yield driver
    driver.quit()


@pytest.fixture
def browse(with_camera: webdriver.Chrome, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page with the camera in a tab; one with other flags in a browser of its own."""
    drivers: list[webdriver.Chrome] = []
    (first,) = with_camera.window_handles

    def start(*flags: str, script: str = "") -> Page:
        driver = with_camera
        if flags:
            driver = start_browser(tmp_path / f"profile-{len(drivers)}", *flags)
            drivers.append(driver)
        else:
            assert driver.window_handles == [first], "one tab at a time is driven"
            driver.switch_to.new_window("tab")
        allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        page = Page(driver)
        page.view(1440, 900)
        return page

    yield start
    for driver in drivers:
        driver.quit()
    for handle in set(with_camera.window_handles) - {first}:
        with_camera.switch_to.window(handle)
        with_camera.close()
    with_camera.switch_to.window(first)
    with_camera.execute_cdp_cmd("Network.clearBrowserCookies", {})
    with_camera.get_log("browser")  # what it told is gone with it


@pytest.fixture
def live(program: Program, browse: Callable[..., Page]) -> Page:
    """A page that shows its camera, with labels."""
    page = browse()
    page.open(program.address)
    page.set(effect="labels", opacity=1, mirror=False, template="average")
    page.run("document.getElementById('resolution').value = '640x480'")
    page.start()
    return page


class Expected:
    """What an effect should make of the camera's picture."""

    def __init__(self, original: np.ndarray) -> None:
        self.original = original
        with FaceTracker() as tracker:
            self.faces: list[Face] = tracker(original, 0.0)
        (face,) = self.faces
        self._template = Template.load("average")
        mask = np.zeros(original.shape[:2], np.uint8)
        hull = cv2.convexHull(np.rint(face.landmarks).astype(np.int32))
        self.face = cv2.fillConvexPoly(mask, hull, 1).astype(bool)
        (x0, _, x1, y1), side = face.box, face.box[2] - face.box[0]
        rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
        self.outside = (columns < x0 - side) | (columns > x1 + side) | (rows > y1 + side)

    def of(self, effect: str, **options: Any) -> np.ndarray:
        drawn = make_effect(effect, annotate=False, **options)
        return drawn(self.original, self.faces, self._template)

    def difference(self, image: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
        """Mean of 0 to 255 over a region, blurred first: encoders change single pixels."""
        if image.shape != other.shape:
            return 255.0
        blurred = [cv2.GaussianBlur(each, (0, 0), 1.5).astype(float) for each in (image, other)]
        return float(np.abs(blurred[0] - blurred[1])[where].mean())

    def is_shown(self, image: np.ndarray, effect: np.ndarray) -> bool:
        """Whether a picture has an effect on the face, and nothing beside it."""
        to_effect = self.difference(image, effect, self.face)
        strength = self.difference(self.original, effect, self.face)
        beside = self.difference(image, self.original, self.outside)
        return to_effect < 0.45 * strength and beside < 6

    def is_plain(self, image: np.ndarray) -> bool:
        return self.difference(image, self.original, self.face) < 6


def test_the_effect_is_on_the_face_and_follows_the_controls(live: Page) -> None:
    assert "token" not in live.driver.current_url
    expected = Expected(live.picture("#original"))
    shown = lambda effect: expected.is_shown(live.picture("#result"), effect)  # noqa: E731
    labels, mesh = expected.of("labels"), expected.of("mesh")
    assert expected.difference(labels, expected.original, expected.face) > 12
    live.until(lambda: shown(labels))
    assert not expected.is_plain(live.picture("#result"))
    live.choose("effect", "mesh")
    live.until(lambda: shown(mesh) and not shown(labels))
    live.choose("texture", "tiger")
    live.until(lambda: shown(expected.of("texture", texture="tiger")))
    live.press("1")
    live.until(lambda: shown(labels))
    live.find("#opacity").send_keys(Keys.HOME)
    live.until(lambda: live.setting("opacity") == 0)
    live.until(lambda: expected.is_plain(live.picture("#result")))
    live.find("#opacity").send_keys(Keys.END)
    live.until(lambda: shown(labels))
    live.click("label:has(> #mirror)")
    turned = "return getComputedStyle(document.getElementById('result')).transform"
    live.until(lambda: "matrix(-1" in str(live.run(turned)))
    assert shown(labels)  # what is saved is not mirrored, the view is
    assert not live.complaints()


def test_styles_and_the_parts_of_make_up_are_chosen(live: Page) -> None:
    live.choose("effect", "style")
    live.until(lambda: live.find("#style-panel").is_displayed())
    live.choose("style", "bronze")
    live.until(lambda: live.setting("style") == "bronze")
    live.choose("style-mode", "color")
    live.until(lambda: live.setting("style_mode") == "color")
    live.choose("effect", "texture")
    live.until(lambda: live.find("#texture-panel").is_displayed())
    live.choose("texture", "makeup")
    live.until(lambda: live.find("#makeup-panel").is_displayed())
    live.run(
        "const input = document.querySelector('[title=\"Color of lips\"]');"
        "input.value = '#0000ff'; input.dispatchEvent(new Event('input'))"
    )
    live.until(lambda: live.setting("makeup") == "lips=#0000ff:0.70")
    widths = "return [...document.querySelectorAll('.pictures img')].map((i) => i.naturalWidth)"
    live.until(lambda: min(live.run(widths)) > 0)  # every texture and style is on its tile
    live.set(effect="labels")
    assert not live.complaints()


def test_the_measurements_are_drawn(live: Page) -> None:
    for name in ("fps", "latency", "confidence"):
        live.until(lambda name=name: live.text(f"#{name}").isdecimal())
    live.until(lambda: int(live.text("#fps")) > 0)
    assert int(live.text("#fps")) <= 60
    assert int(live.text("#latency")) > 10
    assert 60 < int(live.text("#confidence")) <= 100
    live.until(lambda: "95 % within" in live.text("#latency-note"))
    assert live.text("#size") == "640 × 480"
    line = "return document.querySelector('#spark .line').getAttribute('d')"
    live.until(lambda: live.run(line).count("L") > 5)
    parts = live.run("return [...document.querySelectorAll('#bar i')].map((i) => i.offsetWidth)")
    assert sum(width > 0 for width in parts) >= 3
    assert re.search(r"register\s*\d", live.text("#legend"))
    assert "ms" in live.find("#bar").get_attribute("aria-label")


def test_screenshots_and_recordings_are_saved(live: Page, tmp_path: Path) -> None:
    live.click("#shot")
    (shot,) = live.until(lambda: list(tmp_path.glob("facewarp-*.png")))
    live.until(lambda: shot.stat().st_size > 0)
    with PIL.Image.open(shot) as picture:
        assert picture.size == (640, 480)
    live.run(COUNTED_PIECES)
    live.press("r")
    assert live.find("#record").get_attribute("aria-pressed") == "true"
    live.until(lambda: live.run("return window.pieces") > 2)
    live.click("#record")
    (clip,) = live.until(lambda: [*tmp_path.glob("facewarp-*.webm"), *tmp_path.glob("*.mp4")])
    assert live.find("#record").get_attribute("aria-pressed") == "false"
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) >= 3
    assert frames[0].width == 640


def test_pictures_are_sent_from_the_page(live: Page, tmp_path: Path) -> None:
    own = np.zeros((320, 260, 4), np.uint8)
    own[60:300, 30:230] = (20, 60, 255, 255)
    PIL.Image.fromarray(own).save(tmp_path / "blue.png")
    live.find("#texture-file").send_keys(str(tmp_path / "blue.png"))
    expected = Expected(live.picture("#original"))

    def is_blue() -> bool:
        inside = live.picture("#result")[expected.face].astype(int).mean(0)
        return bool(inside[2] > inside[0] + 60)

    live.until(is_blue)
    live.until(lambda: live.run("return document.querySelector('#textures :checked') !== null"))
    PIL.Image.fromarray(own[..., :3]).save(tmp_path / "wide.png")
    live.run("document.getElementById('toast').textContent = ''")
    live.find("#template-file").send_keys(str(tmp_path / "wide.png"))
    live.until(lambda: "face" in live.run("return document.getElementById('toast').textContent"))
    portrait = files("facewarp.assets").joinpath("demo/portrait.png")
    before = live.setting("template")
    live.find("#template-file").send_keys(str(portrait))
    live.until(lambda: live.setting("template") != before)
    live.until(lambda: live.find("#template").get_property("value") == live.setting("template"))


def test_before_and_after_are_compared(live: Page) -> None:
    live.press("c")
    assert live.find("#compare").get_attribute("aria-pressed") == "true"
    live.find("#split").send_keys(Keys.HOME)
    live.until(lambda: live.run("return document.getElementById('split').value") == "0")
    cut = "return getComputedStyle(document.getElementById('original')).clipPath"
    assert "100%" in live.run(cut)
    live.press("c")
    hidden = "return getComputedStyle(document.getElementById('original')).visibility"
    assert live.run(hidden) == "hidden"


def test_ctrl_c_ends_it_and_the_page_says_so(mortal: Program, browse: Callable[..., Page]) -> None:
    page = browse()
    page.open(mortal.address)
    page.start()
    assert mortal.interrupt() == 130
    page.until(lambda: page.state == "trouble")
    assert page.text("#card-title") == "The program has ended"
    assert not page.run("return document.getElementById('start').offsetParent")
    assert page.run("return document.getElementById('controls').inert")


def test_a_program_that_dies_is_noticed(mortal: Program, browse: Callable[..., Page]) -> None:
    page = browse()
    page.open(mortal.address)
    page.start()
    mortal.process.kill()
    page.until(lambda: page.state == "trouble")
    assert page.text("#card-title") == "The program has ended"


def test_two_pages_take_turns(live: Page, program: Program) -> None:
    first = live.driver.current_window_handle
    live.driver.switch_to.new_window("tab")
    live.open(program.address)
    live.until(lambda: live.state == "trouble")
    assert live.text("#card-title") == "Another page is being served"
    live.start()
    live.driver.switch_to.window(first)
    live.until(lambda: live.state == "trouble")
    assert live.text("#card-title") == "Another page has taken over"


def test_a_reload_begins_anew(live: Page) -> None:
    live.driver.refresh()
    live.until(lambda: live.state == "idle")
    live.start()
    live.click("#stop")
    assert live.state == "idle"
    assert live.run("return document.getElementById('original').srcObject") is None


def test_without_a_camera_a_file_is_played(program: Program, browse: Callable[..., Page]) -> None:
    page = browse("--mute-audio", script=KEPT_OFFERS)
    page.open(program.address)
    page.click("#start")
    page.until(lambda: page.state == "trouble")
    assert page.text("#card-title") == "No camera was found"
    demo = files("facewarp.assets").joinpath("demo/astronaut.mp4")
    page.find("#file").send_keys(str(demo))
    page.until(lambda: page.state == "live")
    page.until(lambda: page.text("#confidence").isdecimal())
    (offer,) = page.run("return window.offers")
    assert ".local " in offer  # no camera was allowed, so addresses are hidden behind names
    picture = page.picture("#result")
    assert picture.shape == (600, 800, 3)
    assert picture.std() > 20
    assert not page.complaints()


def test_a_file_that_is_no_video_is_told(
    program: Program, browse: Callable[..., Page], tmp_path: Path
) -> None:
    page = browse("--mute-audio")
    page.open(program.address)
    (tmp_path / "notes.mp4").write_bytes(b"no video at all")
    page.find("#file").send_keys(str(tmp_path / "notes.mp4"))
    page.until(lambda: page.state == "trouble")
    assert page.text("#card-title") == "This file can't be played"


def test_a_blocked_camera_is_told(program: Program, browse: Callable[..., Page]) -> None:
    page = browse(CAMERA)
    denied = {"permission": {"name": "camera"}, "setting": "denied"}
    page.driver.execute_cdp_cmd("Browser.setPermission", denied)
    page.open(program.address)
    page.click("#start")
    page.until(lambda: page.state == "trouble")
    assert page.text("#card-title") == "The camera is blocked"
    assert page.text("#start") == "Try again"


def test_where_udp_does_not_get_through_pictures_do(
    program: Program, browse: Callable[..., Page]
) -> None:
    page = browse(script=NO_ADDRESSES)
    page.open(program.address)
    page.start()
    assert page.run("return document.getElementById('result').hidden")
    page.until(lambda: page.text("#latency").isdecimal())
    expected = Expected(page.picture("#original"))
    labels = expected.of("labels")
    page.until(lambda: expected.is_shown(page.picture("#pictures"), labels))
    assert not page.complaints()


def test_without_the_token_there_is_no_page(program: Program, browse: Callable[..., Page]) -> None:
    page = browse("--mute-audio")
    page.driver.get(program.address.partition("?")[0])
    assert "This address is not complete" in page.text("body")
    page.driver.get(program.address[:-1])
    assert "This address is not complete" in page.text("body")


def test_everything_fits_and_has_a_name(program: Program, browse: Callable[..., Page]) -> None:
    page = browse("--mute-audio")
    page.open(program.address)
    for width, height in [(1440, 900), (1024, 768), (390, 844), (320, 640)]:
        page.view(width, height)
        page.until(lambda width=width: page.run("return innerWidth") == width)
        assert page.run("return document.scrollingElement.scrollWidth") <= width
        if width >= 1024:
            assert page.run("return document.scrollingElement.scrollHeight") <= height
        if height == 900:  # every control is above the fold, whichever effect is on
            for look in ({"texture": "makeup", "effect": "texture"}, {"effect": "style"}):
                page.set(**look)
                panel = "#makeup-panel" if "texture" in look else "#style-panel"
                page.until(lambda panel=panel: page.find(panel).is_displayed())
                panel = "document.getElementById('controls')"
                assert page.run(f"return {panel}.scrollHeight <= {panel}.clientHeight")
            page.set(effect="labels")
        cut = page.run(
            "return [...document.querySelectorAll('button, label, h1, h2, h3, p, legend, li')]"
            ".filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.clientWidth)"
            ".map((e) => e.id + e.textContent)"
        )
        assert not cut
    for element in page.driver.find_elements(By.CSS_SELECTOR, "button, input, select"):
        is_named = element.accessible_name or not element.is_displayed()
        assert is_named, element.get_attribute("outerHTML")
    page.run("document.activeElement.blur()")
    reached = set()
    for _ in range(30):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.run("return document.activeElement.id || document.activeElement.name"))
    assert reached >= {"start", "play", "effect", "texture", "opacity", "mirror", "template"}
    assert not page.complaints()


def test_the_view_shows_the_effect_alone_on_nothing(
    live: Page, program: Program, browse: Callable[..., Page]
) -> None:
    live.choose("texture", "tiger")
    view = browse("--window-size=640,480")
    view.driver.get(program.address.replace("/?", "/view?"))
    view.view(640, 480)
    clear = {"color": {"r": 0, "g": 0, "b": 0, "a": 0}}
    view.driver.execute_cdp_cmd("Emulation.setDefaultBackgroundColorOverride", clear)

    def seen() -> np.ndarray:
        shot = view.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(shot["data"]))))

    expected = Expected(live.picture("#original"))
    tiger = expected.of("texture", texture="tiger")

    def is_tiger_alone() -> bool:
        shown = seen()
        assert shown.shape == (480, 640, 4)
        share = shown[..., 3:] / 255
        laid = np.rint(expected.original * (1 - share) + shown[..., :3] * share).astype(np.uint8)
        is_clear = shown[expected.outside, 3].max() == 0  # what is no effect can be seen through
        return is_clear and shown[..., 3].max() > 200 and expected.is_shown(laid, tiger)

    view.until(is_tiger_alone)
    live.click("#stop")
    view.until(lambda: seen()[..., 3].max() == 0)
    assert not view.complaints()
