"""Draw the pictures of README and docs: ``python docs/make_pictures.py``.

Runs ``facewarp demo`` into a temporary folder; nothing but the shipped clip and template is used.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facewarp import Template, read_video
from facewarp.face.parts import PART_COLORS

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
    Image.fromarray(template_picture(Template.load("average"))).save(
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


def template_picture(template: Template) -> NDArray[np.uint8]:
    """The template: picture, part labels, landmarks with mesh."""
    scale = 2
    size = (template.image.shape[1] * scale, template.image.shape[0] * scale)
    picture = cv2.resize(template.colour, size, interpolation=cv2.INTER_CUBIC)
    soft = np.stack([cv2.resize(p, size) for p in template.probabilities])
    labels = soft.argmax(0)
    tinted = np.where(
        (labels > 0)[..., None], (0.45 * picture + 0.55 * PART_COLORS[labels]), picture
    ).astype(np.uint8)
    meshed = picture.copy()
    points = (template.mesh_points + 0.5) * scale - 0.5
    for triangle in template.triangles:
        corners = np.rint(points[triangle] * 16).astype(np.int32)
        cv2.polylines(meshed, [corners], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    for x, y in np.rint(points[:68] * 16).astype(int):
        cv2.circle(meshed, (int(x), int(y)), 40, (230, 60, 40), -1, cv2.LINE_AA, 4)
    return np.hstack([picture, tinted, meshed])


if __name__ == "__main__":
    main()
