"""Demo clip: NASA's portrait of astronaut Eileen Collins, warped by a known motion.

``python -m facewarp.training.synthetic.demo_clip OUT`` writes the clip, the still it was made of
and the motion, so that the error of tracking can be measured at every point. Synthetic faces, for
training without data, come from `drawn_face`.
"""

import argparse
import logging
import shutil
from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.training.synthetic.known_motion import Bump, Channel, Motion

log = logging.getLogger(__name__)

SHAPE = (600, 800)
"""Height and width of the clip in px."""

FPS = 30
DURATION_S = 7.0

_SCALE = 2.2  # px of the clip per px of the portrait
_FACE = (224.0, 132.0)  # centre of the portrait's face in its px ...
_PLACE = (400.0, 318.0)  # ... and where that is in the clip at rest
_BORDER = (110, 50, 90, 90)  # px of the portrait added above, below, left and right

# Motion of the whole image: times in s and values.
_GLOBAL = {
    "shift_x_px": ((0.6, 1.4, 2.7, 4.0, 5.1, 6.4), (0, -40, 34, -14, 38, 0)),
    "shift_y_px": ((0.7, 1.7, 3.0, 4.3, 5.4, 6.4), (0, 12, -18, 16, -8, 0)),
    "roll_deg": ((0.8, 2.0, 3.4, 4.7, 5.7, 6.5), (0, 11, -15, 8, -3, 0)),
    "zoom": ((0.7, 2.3, 3.7, 5.2, 6.5), (1, 1.2, 0.85, 1.12, 1)),
    "shear": ((1.0, 2.4, 4.0, 5.8), (0, 0.05, -0.06, 0)),
    "tilt_x": ((0.9, 2.1, 3.5, 5.0, 6.3), (0, 0.3, -0.3, 0.2, 0)),
    "tilt_y": ((1.2, 2.8, 4.4, 6.2), (0, 0.2, -0.2, 0)),
}
# How strongly each expression shows.
_EXPRESSIONS = {
    "brows": (
        (1.0, 1.3, 1.8, 2.2, 3.2, 3.5, 3.8, 4.2, 5.2, 5.5, 6.0),
        (0, 1, 1, 0, 0, -0.6, -0.6, 0, 0, 0.8, 0),
    ),
    "smile": ((1.9, 2.4, 3.8, 4.2, 5.0, 5.4), (0, -0.9, -0.7, 0.7, 0.7, 0)),
    "open": (
        (2.2, 2.45, 2.7, 3.0, 3.25, 3.6, 5.4, 5.7, 5.9, 6.3),
        (0, 1, 0.2, 1, 0.3, 0, 0, 0.8, 0.4, 0),
    ),
    "cheeks": ((3.9, 4.3, 5.0, 5.5), (0, 1, 1, 0)),
    "lids": (
        (0.75, 0.9, 1.1, 2.75, 2.9, 3.1, 4.0, 4.3, 5.0, 5.3),
        (0, 1, 0, 0, 1, 0, 0, 0.8, 0.8, 0),
    ),
}
# Where on the face, how far around and how much; in px of the portrait.
_BUMPS = (
    Bump("brows", (201, 90), (30, 20), (0, -5)),
    Bump("brows", (251, 93), (30, 20), (0, -5)),
    Bump("smile", (201, 140), (19, 18), (-4, -2.5)),
    Bump("smile", (250, 139), (19, 18), (4, -2.5)),
    Bump("open", (226, 166), (38, 30), (0, 6)),
    Bump("cheeks", (196, 122), (24, 20), (-0.5, -3)),
    Bump("cheeks", (259, 123), (24, 20), (0.5, -3)),
    Bump("lids", (203, 97), (17, 9), (0, 2.4)),
    Bump("lids", (246, 99), (17, 9), (0, 2.4)),
    Bump("lids", (203, 107), (17, 9), (0, -1.2)),
    Bump("lids", (246, 109), (17, 9), (0, -1.2)),
)


def demo_motion() -> Motion:
    """Return the motion of the shipped clip: at rest for the first 0.6 s and the last 0.5 s."""
    channels = {
        name: Channel(tuple(times), tuple(float(value) for value in values))
        for name, (times, values) in (_GLOBAL | _EXPRESSIONS).items()
    }
    bumps = []
    for bump in _BUMPS:
        x, y = _to_clip(bump.center)
        radii = (bump.radii[0] * _SCALE, bump.radii[1] * _SCALE)
        push = (bump.push_px[0] * _SCALE, bump.push_px[1] * _SCALE)
        bumps.append(Bump(bump.channel, (x, y), radii, push))
    return Motion(DURATION_S, FPS, _PLACE, channels, tuple(bumps))


def _to_clip(xy: tuple[float, float]) -> tuple[float, float]:
    """Map a point of the portrait to the clip at rest."""
    (x, y), (face_x, face_y), (place_x, place_y) = xy, _FACE, _PLACE
    return place_x + _SCALE * (x - face_x), place_y + _SCALE * (y - face_y)


class Scene:
    """The portrait with a border, at the clip's scale, to be warped by a motion."""

    def __init__(self, portrait: NDArray[np.uint8]) -> None:
        self.shape = SHAPE
        wide = _with_border(portrait)
        top, _, left, _ = _BORDER
        # The image is sampled by cubic splines; their coefficients are found once.
        self._splines = [
            ndimage.spline_filter(wide[:, :, channel].astype(np.float32), order=3)
            for channel in range(3)
        ]
        self._shift = np.array([left, top], dtype=np.float64)

    def frame(self, motion: Motion, time_s: float) -> NDArray[np.uint8]:
        """Render the frame at a time, HxWx3 uint8, by the inverse motion."""
        height, width = self.shape
        pixels = np.moveaxis(np.indices((height, width), dtype=np.float64)[::-1], 0, -1)
        rest = motion.unmap_points(pixels, time_s)
        portrait = (rest - _PLACE) / _SCALE + _FACE + self._shift
        places = np.moveaxis(portrait[..., ::-1], -1, 0)
        seen = [
            ndimage.map_coordinates(splines, places, order=3, mode="nearest", prefilter=False)
            for splines in self._splines
        ]
        return np.asarray(np.stack(seen, axis=-1).round().clip(0, 255), dtype=np.uint8)

    def frames(self, motion: Motion) -> Iterator[NDArray[np.uint8]]:
        """Render all frames of a clip, in order."""
        for index in range(motion.frame_count):
            yield self.frame(motion, index / motion.fps)


def _with_border(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Extend the portrait beyond its edges: mirrored, above the head by the backdrop."""
    top, bottom, left, right = _BORDER
    mirrored = cv2.copyMakeBorder(portrait, top, bottom, left, right, cv2.BORDER_REFLECT)
    # Mirrored upwards the flag goes on, but the hair would show; there the first rows fade into
    # the colour of the backdrop.
    first = mirrored[top : top + 6].astype(np.float32).mean(axis=0)
    backdrop = first[left + 100 : left + 360].mean(axis=0)
    flag = np.clip((left + 130 - np.arange(len(first))) / 40, 0, 1)[:, None]
    for distance in range(1, top + 1):
        row = top - distance
        blurred = cv2.GaussianBlur(first[None], (0, 0), 1 + 0.35 * distance)[0]
        share = min(1.0, distance / 80)
        faded = (1 - share) * blurred + share * backdrop
        mirrored[row] = np.rint(flag * mirrored[row] + (1 - flag) * faded)
    return mirrored


def render_demo(out_dir: str | Path, *, crf: int = 21) -> Path:
    """Write the demo clip, its still and its motion into a folder.

    Args:
        out_dir: gets ``astronaut.mp4``, ``portrait.png`` and ``motion.json``.
        crf: quality of the H.264 encoding; less is better and larger.

    Returns:
        Path of the clip.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    still = folder / "portrait.png"
    with as_file(files("facewarp.assets").joinpath("demo/portrait.png")) as source:
        if not (still.exists() and still.samefile(source)):
            shutil.copyfile(source, still)
    stored = cv2.imread(str(still))
    if stored is None:
        raise FacewarpError("the portrait can't be read", where=still)
    motion = demo_motion()
    motion.save(folder / "motion.json")
    clip = folder / "astronaut.mp4"
    _encode(Scene(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)).frames(motion), clip, crf)
    return clip


def _encode(frames: Iterator[NDArray[np.uint8]], path: Path, crf: int) -> None:
    import av

    with written(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = SHAPE
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "slower"}
        stream.time_base = Fraction(1, FPS)
        for index, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description="Write the demo clip and its known motion.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write into")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    clip = render_demo(parser.parse_args().out)
    log.info("%s: %d kB", clip, clip.stat().st_size // 1000)


if __name__ == "__main__":
    main()
