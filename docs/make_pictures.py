"""Draw the pictures of README and docs from what the project ships: ``python docs/make_pictures.py``.

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
GIF_HEIGHT, GIF_EVERY = 300, 3


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "facewarp", "demo", "--out", folder]
        subprocess.run(command, check=True)
        sheet = Image.open(Path(folder) / "sheet.png")
        sheet.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(
            IMAGES / "demo-sheet.png", optimize=True
        )
        write_gif(Path(folder) / "tracked.mp4", IMAGES / "demo.gif")
    Image.fromarray(template_picture(Template.load("average"))).save(
        IMAGES / "template.png", optimize=True
    )


def write_gif(video: Path, out: Path) -> None:
    """Every third frame of a video as a small looping GIF."""
    frames = []
    for frame in read_video(video):
        if frame.index % GIF_EVERY == 0:
            height, width = frame.image.shape[:2]
            size = (round(width * GIF_HEIGHT / height), GIF_HEIGHT)
            frames.append(Image.fromarray(frame.image).resize(size, Image.Resampling.LANCZOS))
    palette = frames[len(frames) // 2].quantize(192)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(
        out, save_all=True, append_images=small[1:], duration=100, loop=0, optimize=True
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
