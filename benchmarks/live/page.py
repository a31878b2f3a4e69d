"""Speed of the page without a server, in a headless Chromium on this machine's processor.

    python benchmarks/live/page.py [--seconds N] [--effect NAME] [--rate N] [--webgl] [--json]

A camera of 640 x 480 plays the demo clip's moving face. Printed are frames shown a second, time
from capture to drawn, milliseconds of each step of a frame, processor time a frame by thread, time
until the page is ready and until the first picture, and what a browser loads. Chromium has no GPU
here, so the page draws on the processor; with --webgl it draws by WebGL in SwiftShader, Chromium's
GPU in software. Other work on the machine makes frames late; the quickest quarter of the steps and
the processor times are what it changes least. A slow camera (--rate 3) shows what a frame takes of
the processor where other work leaves too little for 30 a second.
"""

import argparse
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from facewarp import read_video
from facewarp.page.build import build_page
from facewarp.page.server import PageServer
from facewarp.system.machine import machine

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
SOFTWARE_GPU = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = (640, 480)
CLIP_FRAMES = 75
WARM_UP_S = 4
PATIENCE_S = 120
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

MEASURE = """
const [seconds, done] = arguments;
const rows = [];
const listen = ({ detail }) => rows.push(detail);
facewarp.loop.addEventListener("shown", listen);
const began = performance.now();
setTimeout(() => {
  facewarp.loop.removeEventListener("shown", listen);
  done({ seconds: (performance.now() - began) / 1000, rows });
}, 1000 * seconds);
"""
LOADED = """
return performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .reduce((sum, { transferSize }) => sum + transferSize, 0);
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=15, help="to measure (default: 15)")
    parser.add_argument("--effect", default="texture", help="to draw (default: texture)")
    parser.add_argument("--webgl", action="store_true", help="draw by WebGL, in software")
    parser.add_argument("--rate", type=int, default=30, help="of the camera (default: 30)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        Console(stderr=True).print("skipped: needs chromium and chromedriver")
        return
    with tempfile.TemporaryDirectory() as folder:
        build_page(Path(folder) / "page")
        found = measure(Path(folder), options.seconds, options.effect, options.rate, options.webgl)
    if options.json:
        print(json.dumps({"machine": machine(), **found}))
    else:
        show(found)


def measure(folder: Path, seconds: float, effect: str, rate: int, webgl: bool) -> dict[str, Any]:
    """Serve the page, open it, and measure while it draws."""
    flags = [*FLAGS, *(SOFTWARE_GPU if webgl else [])]
    with served(folder / "page") as address, browser(camera_clip(folder, rate), flags) as driver:
        began = time.monotonic()
        driver.get(address + ("#webgl" if webgl else ""))
        until(driver, lambda: state(driver) != "loading")
        ready = time.monotonic() - began
        loaded = driver.execute_script(LOADED)
        setting = "const [effect, done] = arguments; facewarp.program.change({ effect }).then(done)"
        driver.execute_async_script(setting, effect)
        began = time.monotonic()
        driver.execute_script("document.getElementById('start').click()")
        until(driver, lambda: state(driver) in ("live", "trouble"))
        first = time.monotonic() - began
        if state(driver) != "live":
            raise SystemExit(driver.execute_script("return document.body.innerText")[:600])
        time.sleep(WARM_UP_S)
        before = processor_times(folder)
        measured = driver.execute_async_script(MEASURE, seconds)
        spent = processor_times(folder)
        foot = driver.execute_script("return document.getElementById('foot').textContent")
    rows, count = measured["rows"], len(measured["rows"])
    steps = sorted({name for row in rows for name in row["steps"]})
    latencies = [row["latency"] for row in rows]
    return {
        "about": foot,
        "fps": count / measured["seconds"],
        "latency_ms": {"median": share(latencies, 0.5), "p95": share(latencies, 0.95)},
        "steps_ms": {
            name: {
                "quarter": share([row["steps"].get(name, 0) for row in rows], 0.25),
                "median": share([row["steps"].get(name, 0) for row in rows], 0.5),
            }
            for name in steps
        },
        "processor_ms_a_frame": {
            name: 1000 * (spent[name] - before.get(name, 0)) / max(count, 1) for name in spent
        },
        "ready_s": ready,
        "first_picture_s": first,
        "loaded_mb": loaded / 1e6,
    }


def show(found: dict[str, Any]) -> None:
    """Print tables."""
    console, latency = Console(), found["latency_ms"]
    table = Table(title=f"{found['about']}, {machine()}", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("frames shown a second", f"{found['fps']:.1f}")
    table.add_row("capture to drawn, ms, median", f"{latency['median']:.0f}")
    table.add_row("capture to drawn, ms, 95 %", f"{latency['p95']:.0f}")
    table.add_row("page ready, s", f"{found['ready_s']:.1f}")
    table.add_row("first picture after the button, s", f"{found['first_picture_s']:.1f}")
    table.add_row("loaded, MB", f"{found['loaded_mb']:.2f}")
    console.print(table)
    table = Table(title="steps of a frame, ms by the clock", title_justify="left")
    for column in ("step", "quickest quarter within", "median"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for name, values in found["steps_ms"].items():
        table.add_row(name, f"{values['quarter']:.1f}", f"{values['median']:.1f}")
    console.print(table)
    table = Table(title="processor time a frame, ms", title_justify="left")
    table.add_column("thread")
    table.add_column("ms", justify="right")
    spent = sorted(found["processor_ms_a_frame"].items(), key=lambda entry: -entry[1])
    for name, milliseconds in spent[:9]:
        table.add_row(name, f"{milliseconds:.1f}")
    table.add_row("all", f"{sum(milliseconds for _, milliseconds in spent):.1f}")
    console.print(table)


def share(values: list[float], of: float) -> float:
    """Return the value that a share of all lie below; NaN without any."""
    return sorted(values)[int(of * (len(values) - 1))] if values else float("nan")


def state(driver: webdriver.Chrome) -> str:
    """Return the page's state."""
    return str(driver.execute_script("return document.body.dataset.state"))


def until(driver: webdriver.Chrome, condition: Any) -> None:
    """Wait for a condition, or end with what the page says."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(driver.execute_script("return document.body.innerText")[:600])
        time.sleep(0.02)


def camera_clip(folder: Path, rate: int) -> Path:
    """Write what the browser's camera plays, there and back again, uncompressed."""
    path = folder / "camera.y4m"
    clip = read_video(str(files("facewarp.assets").joinpath("demo/astronaut.mp4")))
    images = []
    for frame, _ in zip(clip, range(CLIP_FRAMES), strict=False):
        image = cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA)
        images.append(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())
    head = f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{rate}:1 Ip A1:1 C420jpeg\n"
    path.write_bytes(b"".join([head.encode(), *images, *images[-2:0:-1]]))
    return path


def processor_times(folder: Path) -> dict[str, float]:
    """Seconds that each kind of thread of this benchmark's browser has worked."""
    found: dict[str, float] = defaultdict(float)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if f"{folder}" not in command and str(folder) not in _parent_command(process):
                continue
            kind = re.search(r"--type=([\w-]+)", command)
            for thread in (process / "task").iterdir():
                name, fields = _stat(thread)
                label = f"{kind[1] if kind else 'browser'}: {re.sub(r'[0-9/]+$', '', name)}"
                found[label] += TICK_S * (int(fields[11]) + int(fields[12]))
        except OSError:
            continue
    return dict(found)


def _parent_command(process: Path) -> str:
    """Commands of all processes above one, up to the first that is gone."""
    commands = ""
    while process.name not in ("0", "1"):
        process = process.parent / _stat(process)[1][1]
        if process.name in ("0", "1"):
            break
        commands += (process / "cmdline").read_bytes().decode(errors="replace")
    return commands


def _stat(process: Path) -> tuple[str, list[str]]:
    """Name, and the fields from the state on."""
    text = (process / "stat").read_text()
    return text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the page in a thread."""
    server = PageServer(folder, 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.address
    finally:
        server.close()
        thread.join()


@contextmanager
def browser(clip: Path, flags: list[str]) -> Iterator[webdriver.Chrome]:
    """Start a browser whose camera plays a clip."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (
        *flags,
        "--window-size=1280,800",
        f"--use-file-for-fake-video-capture={clip}",
        f"--user-data-dir={clip.parent / 'profile'}",
    ):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
