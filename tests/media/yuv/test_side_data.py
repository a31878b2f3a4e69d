"""Pictures tell how they are turned, whatever else comes with them."""

import io
from fractions import Fraction

import av
import numpy as np
import PIL.Image
import pytest

from facewarp.media.orientation import Orientation
from facewarp.media.sources import open_source
from tests.fixtures.clips import corner_colors, corners


@pytest.mark.parametrize("tag", [None, 1, 3, 5, 6, 8])
@pytest.mark.parametrize("name", ["camera.avi", "camera.mov", "camera.mkv"])
def test_motion_jpeg_with_exif_is_read_upright(tmp_path, name, tag):
    exif = PIL.Image.Exif()
    exif[271] = "a camera"
    if tag is not None:
        exif[274] = tag
    jpeg = io.BytesIO()
    size = (64, 48)
    PIL.Image.fromarray(corners(size)).save(jpeg, "JPEG", quality=95, exif=exif.tobytes())
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, pix_fmt="yuvj420p")
        stream.width, stream.height = size
        for number in range(3):
            packet = av.Packet(jpeg.getvalue())
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    with open_source(tmp_path / name) as source:
        images = [frame.image for frame in source]
    upright = Orientation.from_exif(tag or 1).upright(corners(size))
    assert len(images) == 3
    assert images[0].shape == upright.shape
    assert np.abs(corner_colors(images[0]) - corner_colors(upright)).max() < 12
