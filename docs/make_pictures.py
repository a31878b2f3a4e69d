"""Draw the pictures of README and docs: ``python docs/make_pictures.py``.

Runs ``facewarp demo`` into a temporary folder; nothing but the shipped clip and template is used.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from facewarp import Template, read_video
from facewarp.face.template_building.preview import template_sheet

IMAGES = Path(__file__).parent / "images"
LOOP_WINDOW = (150, 60, 650, 560)  # left, top, right, bottom px of the clip
LOOP_SIZE, LOOP_EVERY = (360, 360), 2


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "facewarp", "demo", "--out", folder]
        subprocess.run(command, check=True)
        sheet = Image.open(Path(folder) / "sheet.png")
        sheet.save(IMAGES / "demo-sheet.webp", quality=82, method=6)
        write_loop(Path(folder) / "tracked.mp4", IMAGES / "demo.webp")
    Image.fromarray(template_sheet(Template.load("average"))).save(
        IMAGES / "template.png", optimize=True
    )


def write_loop(video: Path, out: Path) -> None:
    """Every second frame of a video, cut to the face, as a small endless animation."""
    frames = []
    for frame in read_video(video):
        if frame.index % LOOP_EVERY == 0:
            window = Image.fromarray(frame.image).crop(LOOP_WINDOW)
            frames.append(window.resize(LOOP_SIZE, Image.Resampling.LANCZOS))
    frames[0].save(
        out, save_all=True, append_images=frames[1:], duration=67, loop=0, quality=70, method=6
    )


if __name__ == "__main__":
    main()
