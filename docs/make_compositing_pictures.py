"""Draw the pictures of docs/compositing.md: ``python docs/make_compositing_pictures.py``.

Writes the passes of a few frames of the shipped clip, and does with them in numpy what the page's
nodes do. Prints how exactly unwrapping and wrapping again gives the frame back. Needs the extras
`exr` and `plates`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio
from PIL import Image

from facewarp import read_video

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from fixtures.stmap import identity, stmap  # noqa: E402

CLIP = ROOT / "assets" / "demo" / "astronaut.mp4"
IMAGES = Path(__file__).parent / "images"
FIRST, NUMBER = 2.6, 3  # second of the clip at which the head moves; the frame that is shown
WINDOW = np.s_[40:560, 130:670]


def main() -> None:
    """Write every picture."""
    with tempfile.TemporaryDirectory() as folder:
        passes = Path(folder) / "p.####.exr"
        words = ["track", str(CLIP), "--start", str(FIRST), "--end", str(FIRST + 0.2)]
        words += ["--effect", "texture", "--texture", "butterfly", "--passes", str(passes)]
        subprocess.run([sys.executable, "-m", "facewarp", *words], check=True)
        layers = read(Path(folder) / f"p.{NUMBER:04d}.exr")
    frames = list(read_video(CLIP, start=FIRST, end=FIRST + 0.2))
    plate = frames[NUMBER - 1].image.astype(np.float64)
    tell_round_trip(layers)
    save("compositing-layers", layer_sheet(layers))
    save("compositing-stmap", wrapped(plate, layers))
    save("compositing-over", over_another(plate, layers))


def read(path: Path) -> dict[str, np.ndarray]:
    """Every channel of a file, (H, W), by OpenImageIO."""
    buffer = oiio.ImageBuf(str(path))
    pixels = buffer.get_pixels(oiio.FLOAT)
    return {name: pixels[..., place] for place, name in enumerate(buffer.spec().channelnames)}


def tell_round_trip(layers: dict[str, np.ndarray]) -> None:
    """Print how far a point is off after unwrapping and wrapping again, inside the face."""
    size = layers["matte.A"].shape[::-1]
    there = stmap(identity(size), layers["st_from_template_0.u"], layers["st_from_template_0.v"])
    again = stmap(there, layers["st_to_template.u"], layers["st_to_template.v"])
    off = np.hypot(*np.moveaxis((again - identity(size)) * size, -1, 0))
    off = off[layers["matte.A"] > 0.5]
    share = (off <= 0.05).mean()
    sys.stdout.write(
        f"mean {off.mean():.3f} px, median {np.median(off):.4f} px, "
        f"{share:.1%} within 0.05 px, 99th percentile {np.percentile(off, 99):.2f} px\n"
    )


def layer_sheet(layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the layers side by side, as a viewer shows them."""
    zero = np.zeros_like(layers["matte.A"])
    shown = {
        "st_to_template": [layers["st_to_template.u"], layers["st_to_template.v"], zero],
        "st_from_template_0": [
            layers["st_from_template_0.u"], layers["st_from_template_0.v"], zero,
        ],
        "forward": [0.5 + layers["forward.u"] / 16, 0.5 + layers["forward.v"] / 16, zero + 0.5],
        "matte and parts": [
            layers["matte.A"],
            layers["matte_nose.A"] + layers["matte_mouth.A"],
            sum(v for k, v in layers.items() if k.startswith(("matte_eye", "matte_brow"))),
        ],
        "visibility": [layers["visibility.A"]] * 3,
        "rgba": [layers[c] ** (1 / 2.2) for c in "RGB"],
    }  # fmt: skip
    tiles = []
    for name, planes in shown.items():
        tile = np.rint(255 * np.dstack(planes).clip(0, 1)).astype(np.uint8)[WINDOW]
        tile = cv2.resize(np.ascontiguousarray(tile), (270, 260), interpolation=cv2.INTER_AREA)
        font, place = cv2.FONT_HERSHEY_SIMPLEX, (8, 18)
        tiles.append(cv2.putText(tile, name, place, font, 0.45, (255, 255, 255), 1, cv2.LINE_AA))
    return np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])


def wrapped(plate: np.ndarray, layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the frame unwrapped, a painting on it, and the painting wrapped onto the frame."""
    unwrapped = stmap(plate, layers["st_from_template_0.u"], layers["st_from_template_0.v"])
    height, width = plate.shape[:2]
    paint = np.zeros((height, width, 4))
    for x in range(width // 2 - 200, width // 2 + 201, 25):
        cv2.line(paint, (x, 0), (x, height), (0, 220, 255, 255), 2, cv2.LINE_AA)
    for y in range(0, height, 25):
        cv2.line(paint, (0, y), (width, y), (0, 220, 255, 255), 2, cv2.LINE_AA)
    cv2.circle(paint, (width // 2, 170), 34, (255, 60, 40, 255), -1, cv2.LINE_AA)
    on_frame = stmap(paint, layers["st_to_template.u"], layers["st_to_template.v"])
    share = (on_frame[..., 3] / 255 * layers["visibility.A"])[..., None]
    made = plate * (1 - share) + on_frame[..., :3] * share
    ghost = unwrapped * (1 - paint[..., 3:] / 255) + paint[..., :3]
    return np.hstack([half(unwrapped), half(ghost), half(made)])


def over_another(plate: np.ndarray, layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the effect's own layer over the frame made gray: it does not depend on the frame."""
    light = (plate / 255) ** 2.2
    gray = np.repeat(light.mean(-1, keepdims=True), 3, -1)
    share = layers["A"][..., None]
    effect = np.dstack([layers[c] for c in "RGB"])
    over = [255 * (one * (1 - share) + effect).clip(0, 1) ** (1 / 2.2) for one in (light, gray)]
    checks = 60 + 40 * ((np.indices(share.shape[:2]) // 20).sum(0) % 2)[..., None] * np.ones(3)
    alone = checks * (1 - share) + 255 * effect.clip(0, 1) ** (1 / 2.2) * share
    return np.hstack([half(alone), *map(half, over)])


def half(image: np.ndarray) -> np.ndarray:
    """Return the part around the face at half the size."""
    shown = np.rint(np.clip(image, 0, 255)).astype(np.uint8)[WINDOW]
    return cv2.resize(np.ascontiguousarray(shown), (270, 260), interpolation=cv2.INTER_AREA)


def save(name: str, image: np.ndarray) -> None:
    """Write a picture of the page."""
    Image.fromarray(image).save(IMAGES / f"{name}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
