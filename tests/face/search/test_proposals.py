"""Proposals: places of small faces, whatever runs the network, and none in empty frames."""

import numpy as np
import pytest

from facewarp.face.search import proposals
from facewarp.face.search.proposals import CELL_PX, MIDDLE_PX, ProposalNetwork, decode
from facewarp.face.search.windows import Pyramid


@pytest.fixture(scope="module", params=["openvino", "opencv"])
def propose(request):
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return ProposalNetwork(request.param)


def said(*faces, rows=20, columns=30):
    """Outputs of the network (4, rows, columns): row, column, logit, x, y, log2 of the size."""
    found = np.zeros((4, rows, columns), np.float32)
    found[0] = -9
    for row, column, *values in faces:
        found[:, row, column] = values
    return found


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_decoded_places_and_sizes_are_those_of_the_frame(scale):
    (found,) = decode(said((4, 7, 2.0, 0.25, -0.5, 0.5)), scale)
    at = np.array([7.5 + 0.25, 4.5 - 0.5]) * CELL_PX * scale - 0.5
    np.testing.assert_allclose(found.center, at)
    assert found.side == pytest.approx(MIDDLE_PX * 2**0.5 * scale)
    assert found.score == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_only_the_best_of_neighboring_cells_is_proposed():
    faces = (4, 7, 2.0, 0, 0, 0), (4, 8, 1.0, 0, 0, 0), (4, 12, 1.0, 0, 0, 0)
    assert [round(p.center[0]) for p in decode(said(*faces), 1.0)] == [60, 100]


def test_what_scores_little_or_is_tiny_is_not_proposed():
    assert decode(said((4, 7, -4.0, 0, 0, 0)), 1.0) == []
    assert decode(said((4, 7, 4.0, 0, 0, -0.8)), 1.0) == []
    assert len(decode(said((4, 7, 4.0, 0, 0, -0.8)), 4.0)) == 1


def test_one_face_seen_at_two_sizes_is_proposed_once(propose, portrait, monkeypatch):
    frame = portrait.frame(size=(640, 400), at=(320, 200), scale=0.3)
    monkeypatch.setattr(proposals, "_SAME", 1.0)
    many = propose(Pyramid(frame))
    monkeypatch.undo()
    places = [one.center for one in propose(Pyramid(frame)) if one.score > 0.5]
    assert len(many) >= len(places) >= 1
    assert np.hypot(*(places[0] - (320, 200))) < 20


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (1920, 1080), (333, 250)])
@pytest.mark.parametrize("share", [1 / 25, 1 / 12, 1 / 7])
def test_the_best_proposal_is_the_only_face(propose, portrait, size, share):
    side = share * max(size)
    at = (0.7 * size[0], 0.4 * size[1])
    frame = portrait.frame(size=size, at=at, scale=side / portrait.SIDE)
    if side < 16:
        return
    best = propose(Pyramid(frame))[0]
    assert best.score > 0.5
    assert np.hypot(*(best.center - at)) < 0.35 * side
    assert 0.6 < best.side / side < 1.7


def test_backends_propose_the_same(portrait):
    pytest.importorskip("openvino")
    frame = portrait.frame(size=(640, 400), at=(420, 200), scale=0.3)
    one, other = (ProposalNetwork(name)(Pyramid(frame))[0] for name in ("openvino", "opencv"))
    np.testing.assert_allclose(one.center, other.center, atol=1.5)  # one may run in bfloat16
    assert one.score == pytest.approx(other.score, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (20, 20), (720, 1280)])
def test_empty_frames_of_any_shape_propose_nothing_sure(propose, shape):
    plain = np.full((*shape, 3), 128, np.uint8)
    assert all(proposal.score < 0.3 for proposal in propose(Pyramid(plain)))


def test_no_more_places_than_are_looked_at(propose, rng):
    noise = rng.integers(0, 256, (45, 80, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    assert len(propose(Pyramid(noise))) <= 24


def test_after_warming_up_nothing_is_compiled_any_more(portrait, monkeypatch):
    pytest.importorskip("openvino")
    proposals._openvino.cache_clear()
    network = ProposalNetwork("openvino")
    network.warm_up()
    monkeypatch.delattr(proposals, "_request")
    assert network(Pyramid(portrait.frame(scale=0.3)))
