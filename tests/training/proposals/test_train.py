"""Training of the proposal network: its targets, and a written network that says the same."""

import numpy as np
import pytest
import torch

from facewarp.errors import FacewarpError
from facewarp.face.search.proposals import CELL_PX, MEAN, MIDDLE_PX, decode
from facewarp.training.proposals.onnx_file import write_onnx
from facewarp.training.proposals.scenes import SIDE, LabelledPhoto
from facewarp.training.proposals.train import (
    ProposalNetwork,
    labelled_photos,
    loss_of,
    targets,
    train,
)

FACES = np.array([(50.3, 90.8, 16.0), (140.0, 30.0, 25.0)])


def test_targets_decode_to_the_faces():
    wanted = targets(FACES)
    near = wanted[0].clip(1e-4, 1 - 1e-4)
    found = decode(np.stack([np.log(near / (1 - near)), *wanted[1:4]]), 1.0)
    assert len(found) == len(FACES)
    for face, (x, y, side) in zip(sorted(found, key=lambda one: one.side), FACES, strict=True):
        np.testing.assert_allclose(face.center, (x, y), atol=1e-3)
        assert face.side == pytest.approx(side, rel=1e-3)


@pytest.mark.parametrize(("side", "counts"), [(8.5, False), (30.0, False), (60.0, True)])
def test_faces_of_other_sizes_are_left_open_or_none(side, counts):
    wanted = targets(np.array([(100.0, 100.0, side)]))
    assert not wanted[0].any()
    cell = int(100 // CELL_PX)
    assert bool(wanted[5][cell, cell]) == counts


def test_the_loss_is_least_where_all_is_right():
    wanted = torch.from_numpy(targets(FACES))[None]
    right = wanted[:, :4].clone()
    right[:, 0] = torch.where(wanted[:, 0] == 1, 9.0, -9.0)
    moved = right.roll(3, dims=3)
    silent = right.clone()
    silent[:, 0] = -9.0
    assert loss_of(right, wanted) < 0.01
    assert loss_of(moved, wanted) > 1
    assert loss_of(silent, wanted) > 1


def test_what_is_written_says_what_was_trained(tmp_path):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    net = ProposalNetwork().train()
    pictures = torch.rand(2, 3, 64, 96) * 2 - 1
    net(pictures)  # batch norms that are not the ones they began with
    net.eval()
    write_onnx(tmp_path / "net.onnx", net.folded())
    reader = cv2.dnn.readNetFromONNX(str(tmp_path / "net.onnx"))
    reader.setInput(pictures[:1].numpy())
    with torch.inference_mode():
        np.testing.assert_allclose(reader.forward(), net(pictures[:1]).numpy(), atol=1e-4)


def test_training_learns(rng):
    image = rng.integers(60, 90, (120, 160, 3), dtype=np.uint8)
    image[40:80, 60:100] = (250, 40, 40)
    photos = [LabelledPhoto(image, ((60.0, 40.0, 100.0, 80.0),))]
    net = train(photos, steps=24)
    square = np.full((SIDE, SIDE, 3), 75, np.uint8)
    square[92:108, 60:76] = (250, 40, 40)
    with torch.inference_mode():
        shown = (torch.from_numpy(square).movedim(2, 0)[None].float() - MEAN) / MEAN
        scores = net(shown)[0, 0]
    assert divmod(int(scores.argmax()), SIDE // CELL_PX) in {(12, 8), (12, 7)}
    assert MIDDLE_PX == 16


def test_a_folder_without_faces_is_refused(tmp_path):
    with pytest.raises(FacewarpError, match="no photograph"):
        labelled_photos(tmp_path)
