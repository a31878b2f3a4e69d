"""Take the pictures of both pages: ``python docs/make_page_picture.py [live-web] [page]``.

A headless Chromium, whose camera plays the shipped clip's first frame, opens the page of ``facewarp
live --web``, or the one that ``facewarp page`` writes. The measurements are left out: they would be
those of the machine it is taken on. Needs Chromium and its driver, and selenium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.resources import as_file, files
from io import BytesIO
from pathlib import Path

import cv2
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from facewarp import read_video
from facewarp.page.build import build_page
from facewarp.page.server import PageServer

OUT = Path(__file__).parent / "images"
SIZE = (1440, 900)
PATIENCE_S = 90


def camera(folder: Path) -> Path:
    """Write what the browser's camera sees."""
    with as_file(files("facewarp.assets") / "demo" / "astronaut.mp4") as clip:
        image = next(iter(read_video(clip))).image
    picture = cv2.cvtColor(cv2.resize(image, (640, 480)), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    path = folder / "camera.mjpeg"
    path.write_bytes(encoded.tobytes() * 30)
    return path


def take(address: str, folder: Path) -> bytes:
    """Return a page as a PNG, with make-up on."""
    options = Options()
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera(folder)}",
        f"--user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(address)
        wait(driver, "document.body.dataset.state === 'idle'")
        driver.execute_script("document.getElementById('resolution').value = '640x480'")
        driver.execute_script("document.getElementById('start').click()")
        wait(driver, "document.body.dataset.state === 'live'")
        driver.execute_script("document.querySelector('input[value=evening]').click()")
        wait(driver, "!document.getElementById('makeup-panel').hidden")
        driver.execute_script(
            "document.querySelector('.meters').hidden = true;"
            "document.getElementById('sources').style.visibility = 'hidden';"
        )
        panel = "document.getElementById('controls')"
        wait(driver, f"{panel}.scrollHeight <= {panel}.clientHeight")  # all in sight
        time.sleep(3)  # until the effect has come back
        return driver.get_screenshot_as_png()
    finally:
        driver.quit()


def wait(driver: webdriver.Chrome, condition: str) -> None:
    """Wait until a condition of the page holds."""
    end = time.monotonic() + PATIENCE_S
    while not driver.execute_script(f"return {condition}"):
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.1)


def live_web(folder: Path) -> bytes:
    """Return the page of ``facewarp live --web``."""
    command = [sys.executable, "-m", "facewarp", "live", "--web", "--port", "0"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        said = ""
        while (found := re.search(r"http://\S+token=\S+", said)) is None:
            said += program.stdout.readline()
        return take(found[0], folder)
    finally:
        program.terminate()
        program.wait()


def page(folder: Path) -> bytes:
    """Return the page that needs no server."""
    build_page(folder / "page")
    server = PageServer(folder / "page", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        return take(server.address, folder)
    finally:
        server.close()
        thread.join()


def main() -> None:
    """Write the pictures that are named, or both."""
    pictures = {"live-web": live_web, "page": page}
    for name in sys.argv[1:] or pictures:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            shot = Image.open(BytesIO(pictures[name](Path(folder))))
        shot.convert("RGB").save(OUT / f"{name}.webp", quality=84, method=6)


if __name__ == "__main__":
    main()
