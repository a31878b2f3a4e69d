"""Windows of a frame, and what its pyramid shows in them."""

import numpy as np
import pytest

from facewarp.face.crop import Crop
from facewarp.face.search.windows import Pyramid, whole


@pytest.mark.parametrize("side", [40, 300, 1700])
def test_pyramid_shows_what_the_crop_would(side):
    yy, xx = np.mgrid[:801, :1203]
    smooth = (127 + 100 * np.sin(xx / 120) * np.cos(yy / 90)).astype(np.uint8)
    window = Crop.around((610.3, 395.8), side, roll=0.3, margin=1.0, shape=(64, 64))
    difference = Pyramid(smooth).cut(window).astype(int) - window.extract(smooth)
    x, y = np.moveaxis(window.to_frame(np.argwhere(np.ones((64, 64)))[:, ::-1]), -1, 0)
    inside = (x > 32) & (x < 1170) & (y > 32) & (y < 768)  # away from replicated borders
    assert np.abs(difference.ravel()[inside]).max() <= 3


@pytest.mark.parametrize("shape", [(720, 1280), (300, 90)])
def test_the_whole_window_holds_the_frame(shape):
    corners = np.array([(0, 0), (shape[1] - 1, shape[0] - 1)])
    for roll in (0.0, np.pi):
        ends = np.sort(whole(shape, roll).outline(), axis=0)
        assert (ends[0] <= corners[0]).all()
        assert (ends[-1] >= corners[1]).all()
