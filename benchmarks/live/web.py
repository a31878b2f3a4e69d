"""Latency of a frame through the live page: browser, program, browser.

    python benchmarks/live/web.py [--size 640x480] [--seconds N] [--json | --picture FILE]

A headless Chromium plays the demo clip as its camera. Each row is one way there and back: WebRTC,
WebRTC with aiortc's own packet buffer, and JPEGs over the page's connection; and what the program
does with the frames: hand them back as they are, or draw labels. Browser and program share the
machine's cores and no GPU takes part, so that laptops with a server, and browsers with a screen,
do better. Latency and frame rate are those that the page itself measures and shows. With --picture
nothing is measured but a picture of the page at work is written.
"""

import argparse
import io
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from pathlib import Path
from unittest import mock

import av
import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from facewarp.live.face_pipeline import FacePipeline
from facewarp.live.interfaces import FrameProcessor, ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.live.web import webrtc
from facewarp.live.web.page import serve
from facewarp.media.frames import Frame
from facewarp.system.machine import machine

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
WARM_UP_S = 6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="640x480", help="of the camera (default: 640x480)")
    parser.add_argument("--seconds", type=float, default=15, help="of each row (default: 15)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--picture", type=Path, help="write a picture of the page instead")
    options = parser.parse_args()
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        Console(stderr=True).print("skipped: needs chromium and chromedriver")
        return
    size = tuple(map(int, options.size.split("x")))
    look = FacePipeline()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = camera_clip(Path(folder) / "camera.mjpeg", size)
        if options.picture:
            measure(clip, options.size, 20, look, look, "WebRTC", options.picture)
            return
        for work, of in (("handed back", hand_back), ("labels", look)):
            for way in ("WebRTC", "WebRTC, aiortc's buffer", "JPEGs"):
                measured = measure(clip, options.size, options.seconds, of, look, way)
                rows.append({"work": work, "way": way, **measured})
    if options.json:
        print(json.dumps({"machine": machine(), "size": options.size, "rows": rows}))
        return
    table = Table(title=f"{options.size}, {machine()}", title_justify="left")
    for column in ("work", "way", "shown fps", "latency ms, median", "95 %", "in the program ms"):
        table.add_column(column, justify="left" if column in ("work", "way") else "right")
    for row in rows:
        numbers = (row["fps"], row["latency_ms"], row["latency_p95_ms"], row["age_ms"])
        table.add_row(row["work"], row["way"], *(f"{number:.0f}" for number in numbers))
    Console().print(table)


def hand_back(frame: Frame) -> ProcessedFrame:
    """Return the image unchanged."""
    return ProcessedFrame(frame.image, [], {})


def measure(
    clip: Path,
    size: str,
    seconds: float,
    work: FrameProcessor,
    look: FacePipeline,
    way: str,
    picture: Path | None = None,
) -> dict[str, float]:
    """Serve the page, open it in a browser, and return medians of its status."""
    stats, stop, ready = LiveStats(), threading.Event(), threading.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    def run() -> None:
        serve(work, look, port=0, stats=stats, stop=stop, on_ready=on_ready)

    is_plain = "aiortc" in way
    with mock.patch.object(webrtc, "hand_over_at_once") if is_plain else nullcontext():
        program = threading.Thread(target=run)
        program.start()
        ready.wait()
        try:
            with browser(clip) as driver:
                driver.get(addresses[0] + ("#pictures" if way == "JPEGs" else ""))
                time.sleep(1)
                script = "document.getElementById('resolution').value = arguments[0]"
                driver.execute_script(script, size)
                driver.find_element("id", "start").click()
                time.sleep(WARM_UP_S)
                seen = [look_at(driver) for _ in wait(seconds)]
                if picture:
                    driver.execute_script(
                        "document.querySelector('#camera option').textContent = 'Camera'"
                    )
                    shot = Image.open(io.BytesIO(driver.get_screenshot_as_png()))
                    shot.convert("RGB").save(picture, quality=88)
        finally:
            stop.set()
            program.join()
    known = np.array([row for row in seen if None not in row], float)
    fps, latency, high = np.median(known, axis=0) if len(known) else (np.nan,) * 3
    age = stats.summary()["p50_ms"]["age"]
    return {"fps": fps, "latency_ms": latency, "latency_p95_ms": high, "age_ms": age}


def wait(seconds: float) -> Iterator[None]:
    """Once a second."""
    for _ in range(round(seconds)):
        time.sleep(1)
        yield


def look_at(driver: webdriver.Chrome) -> list[float | None]:
    """Read frame rate, latency and its 95th percentile from the page."""
    script = (
        "return ['fps', 'latency', 'latency-note'].map((id) =>"
        " document.getElementById(id).textContent.match(/\\d+$/)?.[0] ?? null)"
    )
    return [None if text is None else float(text) for text in driver.execute_script(script)]


@contextmanager
def browser(clip: Path) -> Iterator[webdriver.Chrome]:
    """Start a headless Chromium with a clip as its camera."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--use-file-for-fake-video-capture={clip}"):
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={profile}")
        options.add_argument("--hide-scrollbars")
        driver = webdriver.Chrome(
            options=options, service=Service(str(shutil.which("chromedriver")))
        )
        view = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        try:
            yield driver
        finally:
            driver.quit()


def camera_clip(path: Path, size: tuple[int, ...]) -> Path:
    """Write the demo clip, to and fro, in a camera's size, as MJPEG for Chromium."""
    with av.open(str(files("facewarp.assets").joinpath("demo/astronaut.mp4"))) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    width, height = size
    scale = max(width / frames[0].shape[1], height / frames[0].shape[0])
    with path.open("wb") as file:
        for frame in [*frames, *reversed(frames)]:
            large = cv2.resize(frame, None, fx=scale, fy=scale)
            file.write(cv2.imencode(".jpg", large[:height, :width])[1].tobytes())
    return path


if __name__ == "__main__":
    main()
