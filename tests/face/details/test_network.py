"""The detail network in 8 bits: found beside the float weights, and saying the same."""

import numpy as np
import pytest

from facewarp.core.model import engine_beside, load
from facewarp.core.weights import INT8_DETAILS, file_sha256, int8_weights, shipped_weights
from facewarp.face.details.network import DetailNetwork
from facewarp.face.details.outlines import outlines


def test_8_bit_weights_of_details_have_a_folder_of_their_own():
    path = shipped_weights("face-details")
    folder = int8_weights(path, file_sha256(path))
    assert folder == path.with_name(INT8_DETAILS)
    assert {file.name for file in folder.iterdir()} == {"parts.xml", "parts.bin", "about.json"}


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_only_the_8_bit_engine_takes_another_beside_it(name, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"weights")
    assert engine_beside(tmp_path / "x.safetensors", name) == name
    assert engine_beside(tmp_path / "x.safetensors", "openvino-int8") == "openvino"
    assert engine_beside(shipped_weights("face-details"), "openvino-int8") == "openvino-int8"


def test_8_bits_see_the_same_lips_and_lids(template):
    pytest.importorskip("openvino")
    path = shipped_weights("face-details")
    exact, quick = (
        DetailNetwork(load(path, engine=name), template)([template.image], [template.landmarks])[0]
        for name in ("openvino", "openvino-int8")
    )
    assert abs(quick.shares - exact.shares).mean() < 0.005
    assert abs(quick.shares - exact.shares).max() > 1e-4  # other weights did run
    for ours, theirs in zip(outlines(quick), outlines(exact), strict=True):
        seen = theirs.weights > 0.5
        assert seen.sum() > 10
        assert np.median(abs(ours.points - theirs.points)[:, seen]) < 0.2  # crop px
