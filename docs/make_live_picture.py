"""Draw the picture of the live window: ``python docs/make_live_picture.py``.

The shipped clip goes through the look, the overlay and the card of keys of ``facewarp live``. No
speed is written on it, since no camera runs: the picture is the same on every machine.
"""

from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from facewarp import read_video
from facewarp.drawing.compositing import blend
from facewarp.drawing.text import em_of
from facewarp.face.tracking.options import TrackerOptions
from facewarp.live.catalog import EffectChoice
from facewarp.live.face_pipeline import FacePipeline
from facewarp.live.timing import LiveStats
from facewarp.live.window.help_card import fitting_em, help_card
from facewarp.live.window.hotkeys import Hotkeys
from facewarp.live.window.hud import Hud

OUT = Path(__file__).parent / "images" / "live-window.webp"
FRAMES = range(28, 40)  # enough for what is smoothed to settle


class NoActions:
    """Nothing is asked of it."""

    def stop(self) -> None:
        """See `Actions`."""

    def pause(self) -> str:
        """See `Actions`."""
        return ""

    record = screenshot = pause


def main() -> None:
    """Write the picture: the window, and the window with its card, side by side."""
    with as_file(files("facewarp.assets") / "demo" / "astronaut.mp4") as clip:
        frames = list(islice(read_video(clip), FRAMES.start, FRAMES.stop))
    choice = EffectChoice("texture", texture="tiger")
    with FacePipeline(TrackerOptions(engine="torch"), choice) as look:
        for frame in frames:
            seen = look(frame)
        keys = Hotkeys(look, NoActions())
        columns = keys.sections()
        keys.close()
    records = [{"state": face.state, "confidence": face.confidence} for face in seen.faces]
    plain = seen.image.copy()
    Hud().draw(plain, records, LiveStats(), 0.0)
    em = fitting_em(columns, plain.shape, em_of(plain.shape))
    card = help_card(columns, "facewarp", em)
    carded = plain.copy()
    blend(carded, card, *((np.array(plain.shape[1::-1]) - card.shape[1::-1]) // 2))
    gap = np.full((plain.shape[0], 16, 3), 255, np.uint8)
    picture = Image.fromarray(np.hstack([plain, gap, carded]))
    picture.save(OUT, quality=84, method=6)


if __name__ == "__main__":
    main()
