"""Letters of tags look the same on pixels of any shape."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.face.rendering.face_tags import draw_tag

FACE = SimpleNamespace(id=3, state="tracking", confidence=0.9, box=(60.0, 150.0, 160.0, 250.0))


def extent(frame):
    """(width, height) px of what was drawn on black."""
    rows, columns = np.nonzero(frame.any(-1))
    return np.ptp(columns) + 1, np.ptp(rows) + 1


@pytest.mark.parametrize("aspect", [0.5, 2.0])
def test_a_tag_is_as_wide_on_a_screen_whatever_the_pixels(aspect):
    plain, squeezed = np.zeros((2, 400, 500, 3), np.uint8)
    draw_tag(plain, FACE)
    draw_tag(squeezed, FACE, aspect)
    width, height = extent(plain)
    assert extent(squeezed)[0] * aspect == pytest.approx(width, abs=3)
    assert extent(squeezed)[1] == pytest.approx(height, abs=1)
