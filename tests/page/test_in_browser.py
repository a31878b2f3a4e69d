"""The page in a headless Chromium whose camera plays the demo's face."""

import base64
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from fixtures.waiting import COUNTED_PIECES
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
    "--enable-unsafe-swiftshader", "--window-size=1400,900",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip

STEP = """
const [picture, time, done] = arguments;
const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
createImageBitmap(new Blob([bytes], { type: "image/png" }))
  .then((bitmap) => facewarp.loop.step(bitmap, time))
  .then(({ faces }) => done(faces.map((face) => Array.from(face.landmarks))))
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


DROP = """
const [content, name] = arguments;
const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File([bytes], name));
for (const kind of ["dragenter", "dragover", "drop"]) {
  const options = { dataTransfer, bubbles: true, cancelable: true };
  document.getElementById("stage").dispatchEvent(new DragEvent(kind, options));
}
"""


class Page:
    """The page in a browser, and what a user does there."""

    def __init__(
        self, driver: webdriver.Chrome, address: str, requests: list[str], downloads: Path
    ) -> None:
        self.driver, self.requests = driver, requests
        self.address, self.downloads = address, downloads
        driver.set_script_timeout(PATIENCE_S)
        downloads.mkdir()
        allow = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", allow)
        self.open()

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

    def open(self, mark: str = "") -> None:
        """Load the page anew; a mark at the end of its address says what draws."""
        self.driver.get("about:blank")
        self.driver.get(self.address + mark)
        self.until(lambda: self.state != "loading")

    def step(self, frame: np.ndarray, at: float) -> np.ndarray:
        """Give the page a frame; the landmarks of the one face that it finds, (68, 2)."""
        (face,) = self.faces(frame, at)
        return face

    def faces(self, frame: np.ndarray, at: float) -> list[np.ndarray]:
        """Give the page a frame; the landmarks of each face that it finds, (68, 2)."""
        found = self.wait(STEP, png(frame), at)
        assert isinstance(found, list), found
        return [np.array(face).reshape(68, 2) for face in found]

    def saved(self, suffix: str) -> Path:
        """Wait for a file that the page saves: an empty one holds its name until it is whole."""

        def whole() -> list[Path]:
            return [file for file in self.downloads.glob(f"*{suffix}") if file.stat().st_size]

        self.until(whole)
        (file,) = whole()
        return file

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
            yield Page(driver, served.address, requests, folder / "saved")
        finally:
            driver.quit()
            served.close()
            thread.join()


def test_it_loads_isolated_and_without_a_complaint(page: Page) -> None:
    assert page.state == "idle", page.text("card-text")
    assert page.run("return crossOriginIsolated") is True
    assert "onnxruntime-web" in page.text("foot")
    assert "headers" not in page.text("foot"), "one thread for want of headers"
    assert "drawn without a GPU" in page.text("foot"), "software that plays a GPU is none"
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
    with facewarp.FaceTracker(
        engine="openvino-int8", faces=1, smooth=True, details=False
    ) as tracker:
        for image, at in frames:
            (face,) = tracker(image, at)
            apart.append(np.linalg.norm(page.step(image, at) - face.landmarks, axis=1))
    mean, high, most = np.mean(apart), np.quantile(apart, 0.95), np.max(apart)
    record_property("px", f"{mean:.3f} mean, {high:.3f} 95 %, {most:.3f} most")
    assert mean < 0.15
    assert high < 0.3


def test_the_effect_is_on_the_face_and_nowhere_else(
    page: Page, frames: list[tuple[np.ndarray, float]]
) -> None:
    check_effects(page, frames[-1][0])


def check_effects(page: Page, image: np.ndarray) -> dict[str, np.ndarray]:
    """Check where each effect draws; what each draws."""
    drawn = {}
    for effect in ("labels", "mesh", "texture", "field"):
        page.change(effect=effect, texture="tiger", opacity=1)
        landmarks = page.step(image, 1.0)
        drawn[effect] = page.picture()
        changed = np.abs(drawn[effect].astype(int) - image).max(-1)
        (x0, y0), (x1, y1) = landmarks.min(0).astype(int), landmarks.max(0).astype(int)
        assert changed[y0:y1, x0:x1].mean() > 8, effect
        beside, side = changed.copy(), y1 - y0
        if effect == "field":  # on all of the crop
            beside[max(y0 - side, 0) : y1 + side, max(x0 - side, 0) : x1 + side] = 0
        else:  # the forehead is above the brows
            beside[y0 - side // 2 : y1 + 20, x0 - 30 : x1 + 30] = 0
        assert beside.max() <= 2, effect
    page.change(effect="texture", opacity=0)
    page.step(image, 1.1)
    assert np.abs(page.picture().astype(int) - image).max() <= 2
    page.change(opacity=1)
    return drawn


def test_nothing_is_drawn_on_what_hides_a_face(
    page: Page, frames: list[tuple[np.ndarray, float]]
) -> None:
    image = frames[0][0].copy()
    page.change(effect="texture", texture="tiger", opacity=1)
    landmarks = page.step(image, 40.0)
    (left, top), (right, bottom) = landmarks.min(0).astype(int), landmarks.max(0).astype(int)
    middle = (left + right) // 2
    image[bottom - (bottom - top) // 3 : bottom + 40, middle + 6 :] = (70, 90, 60)  # a green cloth
    for effect in ("labels", "texture", "mesh"):
        page.change(effect=effect)
        page.step(image, 41.0)
        page.step(image, 41.04)
        changed = np.abs(page.picture().astype(int) - image).max(-1)
        cloth = changed[bottom - (bottom - top) // 4 : bottom, middle + 14 : right]
        skin = changed[top : bottom - (bottom - top) // 2, left + 10 : middle]
        assert cloth.mean() < 0.1 * skin.mean(), effect
        assert skin.mean() > 4, effect
    page.change(effect="texture")


def test_make_up_has_a_color_for_each_part(page: Page, frames: list[Any]) -> None:
    image = frames[0][0]
    page.change(effect="texture", texture="makeup", opacity=1)
    landmarks = page.step(image, 1.2)
    x, y = landmarks[[56, 57, 58, 65, 66, 67]].mean(0).astype(int)  # the lower lip
    before = page.picture()[y, x].astype(int)
    page.change(makeup="lips=#20c040:1.00")
    page.step(image, 1.2)
    after = page.picture()[y, x].astype(int)
    assert after[1] - after[0] > 40 > before[1] - before[0]
    page.change(texture="tiger")
    assert page.run("return facewarp.program.settings.makeup") == ""


def test_the_foot_tells_of_runtime_and_threads_after_every_change(page: Page) -> None:
    page.click("mirror")
    page.until(lambda: page.run("return facewarp.program.settings.mirror") is True)
    assert "onnxruntime-web" in page.text("foot")
    assert "thread" in page.text("foot")
    page.click("mirror")
    page.until(lambda: page.run("return facewarp.program.settings.mirror") is False)


def test_two_faces_are_followed_where_that_is_asked_for(page: Page, frames: list[Any]) -> None:
    image = np.hstack([frames[0][0][:, 120:440], frames[0][0][:, 120:440]])
    assert len(page.faces(image, 20.0)) == 1
    page.change(faces=2, effect="texture", texture="tiger")
    found = page.faces(image, 30.0)
    assert len(found) == 2
    apart = np.abs(found[0].mean(0) - found[1].mean(0))
    assert abs(apart[0] - 320) < 4
    assert apart[1] < 4
    changed = np.abs(page.picture().astype(int) - image).max(-1)
    for landmarks in found:
        (x0, y0), (x1, y1) = landmarks.min(0).astype(int), landmarks.max(0).astype(int)
        assert changed[y0:y1, x0:x1].mean() > 8
    page.change(faces=1)


def test_a_texture_is_dropped_on_the_picture(page: Page) -> None:
    green = np.zeros((320, 260, 3), np.uint8)
    green[..., 1] = 255
    page.run(DROP, png(green), "green.png")
    page.until(lambda: page.run("return facewarp.program.settings.texture") == "own")
    page.until(lambda: page.text("toast") == "Texture: green.png")
    page.run(DROP, base64.b64encode(b"words").decode(), "notes.txt")
    page.until(lambda: page.text("toast").startswith("notes.txt is no picture"))
    assert page.run("return document.getElementById('toast').classList.contains('bad')")


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


def test_what_is_saved_can_be_opened(page: Page) -> None:
    if page.state != "live":
        page.click("start")
        page.until(lambda: page.state == "live")
    if page.run("return document.getElementById('landmarks').ariaPressed") != "true":
        page.click("landmarks")
    page.click("shot")
    with PIL.Image.open(page.saved(".png")) as shot:
        assert shot.size == (640, 480)
        assert np.array(shot.convert("L")).std() > 20
    page.run(COUNTED_PIECES)
    page.click("record")
    page.until(lambda: page.run("return window.pieces") > 2)
    page.click("record")
    clip = list(facewarp.read_video(str(page.saved(".webm"))))
    assert clip[0].image.shape == (480, 640, 3)
    assert clip[-1].image.std() > 20
    page.click("landmarks")
    record = json.loads(page.saved(".json").read_text("utf-8"))
    faces = [face for frame in record["frames"] for face in frame["faces"]]
    assert faces
    assert all(len(face["landmarks"]) == 68 for face in faces)
    assert all(0 <= x <= 640 and 0 <= y <= 480 for x, y in faces[-1]["landmarks"])


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


def test_an_address_without_cameras_is_told(page: Page) -> None:
    page.run("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.click("start")
    page.until(lambda: page.text("card-title") == "No camera at this address")
    assert "https" in page.text("card-text")


@pytest.mark.parametrize("blur_px", [0.0, 2.5])
def test_webgl_draws_what_the_processor_draws(
    page: Page, frames: list[Any], blur_px: float
) -> None:
    image = frames[-1][0]
    if blur_px:
        image = cv2.GaussianBlur(image, (0, 0), blur_px)
    page.open("#pixels")
    without = check_effects(page, image)
    page.open("#webgl")
    assert "without a GPU" not in page.text("foot")
    drawn = check_effects(page, image)
    for effect, picture in drawn.items():
        apart = np.abs(picture.astype(int) - without[effect]).max(-1)
        assert apart.mean() < 0.5, effect
        assert np.quantile(apart, 0.99) <= 12, effect


def test_a_browser_without_simd_is_told(page: Page) -> None:
    page.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "WebAssembly.validate = () => false;"}
    )
    page.driver.refresh()
    page.until(lambda: page.state == "trouble")
    assert "SIMD" in page.text("card-text")
