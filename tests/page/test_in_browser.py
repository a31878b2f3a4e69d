"""The page in a headless Chromium whose camera plays the demo's face."""

import base64
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

import facewarp
from facewarp.errors import FacewarpError
from facewarp.page import server as page_server
from facewarp.page.build import MAX_SIZE_MB, build_page
from facewarp.page.server import PageServer

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PATIENCE_S = 120  # for anything: other work may keep the machine busy
FRAMES = 5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver (chromedriver)"
    ),
]

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--window-size=1400,900",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip

STEP = """
const [picture, time, done] = arguments;
const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
createImageBitmap(new Blob([bytes], { type: "image/png" }))
  .then((bitmap) => facewarp.loop.step(bitmap, time))
  .then(({ answer: { face } }) => done(face && Array.from(face.landmarks)))
  .catch((error) => done(String(error)));
"""
PICTURE = """
const [done] = arguments;
facewarp.loop.picture().then((blob) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(",")[1]);
  reader.readAsDataURL(blob);
});
"""
GIVE = """
const [content, name, done] = arguments;
const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
facewarp.program.texture(new File([bytes], name))
  .then(() => done("taken"))
  .catch(({ message }) => done(message));
"""


class Page:
    """The page in a browser, and what a user does there."""

    def __init__(self, driver: webdriver.Chrome, address: str, requests: list[str]) -> None:
        self.driver, self.requests = driver, requests
        driver.set_script_timeout(PATIENCE_S)
        driver.get(address)
        self.until(lambda: self.state != "loading")

    @property
    def state(self) -> str:
        return str(self.run("return document.body.dataset.state"))

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def wait(self, script: str, *values: Any) -> Any:
        return self.driver.execute_async_script(script, *values)

    def text(self, name: str) -> str:
        return str(self.run("return document.getElementById(arguments[0]).textContent", name))

    def click(self, name: str) -> None:
        self.run("document.getElementById(arguments[0]).click()", name)

    def change(self, **settings: Any) -> None:
        script = "facewarp.program.change(arguments[0]).then(() => arguments[1]())"
        self.wait(script, settings)

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                text = self.run("return document.body.innerText")[:600]
                pytest.fail(f"waited too long; the page says: {text}")
            time.sleep(0.1)

    def step(self, frame: np.ndarray, at: float) -> np.ndarray:
        """Give the page a frame; the landmarks that it finds, (68, 2)."""
        found = self.wait(STEP, png(frame), at)
        assert isinstance(found, list), found
        return np.array(found).reshape(68, 2)

    def picture(self) -> np.ndarray:
        data = base64.b64decode(self.wait(PICTURE))
        return np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


def png(picture: np.ndarray) -> str:
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture(scope="module")
def frames() -> list[tuple[np.ndarray, float]]:
    """The demo clip as a camera of 640 x 480 sees it."""
    clip = facewarp.read_video(str(files("facewarp.assets").joinpath("demo/astronaut.mp4")))
    found = [(frame.image, frame.time) for frame, _ in zip(clip, range(FRAMES), strict=False)]
    return [
        (cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA), at) for image, at in found
    ]


@pytest.fixture(scope="module")
def page(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[np.ndarray, float]]
) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    try:
        sizes = build_page(folder / "out")
    except FacewarpError as error:
        if "npm" in str(error):
            pytest.skip(f"npm brings no runtime here: {error}")
        raise
    assert sum(sizes.values()) < 1e6 * MAX_SIZE_MB
    camera = folder / "camera.mjpeg"
    _, encoded = cv2.imencode(".jpg", frames[0][0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    camera.write_bytes(encoded.tobytes() * 30)
    requests: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        log = page_server._Files.log_message
        patch.setattr(
            page_server._Files,
            "log_message",
            lambda self, *words: (requests.append(self.path), log(self, *words)),
        )
        served = PageServer(folder / "out", 0)
        thread = threading.Thread(target=served.serve)
        thread.start()
        options = Options()
        options.binary_location = str(CHROMIUM)
        for flag in [*FLAGS, f"--use-file-for-fake-video-capture={camera}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            yield Page(driver, served.address, requests)
        finally:
            driver.quit()
            served.close()
            thread.join()


def test_it_loads_isolated_and_without_a_complaint(page: Page) -> None:
    assert page.state == "idle", page.text("card-text")
    assert page.run("return crossOriginIsolated") is True
    assert "onnxruntime-web" in page.text("foot")
    assert "headers" not in page.text("foot"), "one thread for want of headers"
    complaints = [
        entry["message"] for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"
    ]
    assert complaints == []


def test_landmarks_are_those_of_the_8_bit_engine(
    page: Page,
    frames: list[tuple[np.ndarray, float]],
    record_property: Callable[[str, object], None],
) -> None:
    apart = []
    with facewarp.FaceTracker(engine="openvino-int8", faces=1, smooth=True) as tracker:
        for image, at in frames:
            (face,) = tracker(image, at)
            apart.append(np.linalg.norm(page.step(image, at) - face.landmarks, axis=1))
    mean, high, most = np.mean(apart), np.quantile(apart, 0.95), np.max(apart)
    record_property("px", f"{mean:.3f} mean, {high:.3f} 95 %, {most:.3f} most")
    assert mean < 0.15
    assert high < 0.3


@pytest.mark.parametrize("effect", ["labels", "mesh", "texture"])
def test_the_effect_is_on_the_face_and_nowhere_else(
    page: Page, frames: list[tuple[np.ndarray, float]], effect: str
) -> None:
    image = frames[-1][0]
    page.change(effect=effect, texture="tiger", opacity=1)
    landmarks = page.step(image, 1.0)
    changed = np.abs(page.picture().astype(int) - image).max(-1)
    (x0, y0), (x1, y1) = landmarks.min(0).astype(int), landmarks.max(0).astype(int)
    assert changed[y0:y1, x0:x1].mean() > 8
    beside = changed.copy()
    beside[y0 - (y1 - y0) // 2 : y1 + 20, x0 - 30 : x1 + 30] = 0  # the forehead is above the brows
    assert beside.max() <= 2
    page.change(opacity=0)
    page.step(image, 1.1)
    assert np.abs(page.picture().astype(int) - image).max() <= 2
    page.change(opacity=1)


def test_your_own_texture_and_what_is_none(page: Page, frames: list[Any]) -> None:
    assert page.wait(GIVE, base64.b64encode(b"words").decode(), "notes.txt").startswith(
        "notes.txt is no picture"
    )
    square = np.full((100, 100, 3), 200, np.uint8)
    assert "260 : 320" in page.wait(GIVE, png(square), "square.png")
    green = np.zeros((320, 260, 3), np.uint8)
    green[..., 1] = 255
    assert page.wait(GIVE, png(green), "green.png") == "taken"
    landmarks = page.step(frames[0][0], 2.0)
    x, y = landmarks[[1, 15]].mean(0).astype(int)  # between the cheeks
    red, lit, blue = page.picture()[y, x].astype(int)
    assert lit > red + 40
    assert lit > blue + 40


def test_my_face_becomes_the_template(page: Page, frames: list[Any]) -> None:
    image = frames[0][0]
    before = page.step(image, 3.0)
    script = "facewarp.program.snapshot().then((state) => arguments[0](state.settings.template))"
    assert page.wait(script) == "my face"
    page.step(image, 3.04)
    after = page.step(image, 3.08)
    assert np.linalg.norm(after - before, axis=1).mean() < 2
    page.change(template="average")


def test_the_camera_runs_and_nothing_is_requested(page: Page) -> None:
    assert len(page.requests) > 20, "loading makes requests, and they are counted"
    page.driver.get_log("performance")
    before = len(page.requests)
    page.click("start")
    page.until(lambda: page.state == "live")
    for effect in ("labels", "mesh", "canonical", "texture"):
        page.change(effect=effect)
    page.click("landmarks")
    page.until(lambda: page.run("return facewarp.loop.latency !== null"))
    sent = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    urls = [
        one["params"]["request"]["url"]
        for one in sent
        if one["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in urls if not url.startswith(("blob:", "data:"))] == []
    assert page.requests[before:] == []
    assert page.text("requests") == "No request since the page was loaded"
    refused = (
        "fetch('manifest.json').then(() => arguments[0]('sent'), () => arguments[0]('refused'))"
    )
    assert page.wait(refused) == "refused"
    assert page.requests[before:] == []
    assert float(page.text("confidence")) > 50


def test_a_tab_in_the_background_says_that_it_pauses(page: Page) -> None:
    hide = """
    Object.defineProperty(document, "hidden", { configurable: true, get: () => arguments[0] });
    document.dispatchEvent(new Event("visibilitychange"));
    """
    if page.state != "live":
        page.click("start")
        page.until(lambda: page.state == "live")
    page.run(hide, True)
    assert page.text("status") == "Paused while this tab is in the background"
    page.run(hide, False)
    page.until(lambda: page.text("status") == "Live")


@pytest.mark.parametrize(
    ("error", "title"),
    [("NotAllowedError", "The camera is blocked"), ("NotFoundError", "No camera was found")],
)
def test_a_camera_that_does_not_come_is_told(page: Page, error: str, title: str) -> None:
    page.run(
        "const name = arguments[0]; navigator.mediaDevices.getUserMedia ="
        " () => Promise.reject(new DOMException('', name));",
        error,
    )
    page.click("start")
    page.until(lambda: page.state == "trouble")
    assert page.text("card-title") == title
    assert "video file" in page.text("card-text")


def test_a_browser_without_simd_is_told(page: Page) -> None:
    page.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "WebAssembly.validate = () => false;"}
    )
    page.driver.refresh()
    page.until(lambda: page.state == "trouble")
    assert "SIMD" in page.text("card-text")
