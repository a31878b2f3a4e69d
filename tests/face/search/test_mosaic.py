"""Mosaics: each tile shows its place, and what lies in it is told apart."""

import numpy as np
import pytest

from facewarp.face.search.mosaic import FIRST_SIGHT, FURTHER_SIGHTS, mosaics, place_in, tile_at
from facewarp.face.search.proposals import Proposal
from facewarp.face.search.windows import Pyramid

PLACES = [Proposal(np.array([60.0 + 90 * i, 70.0]), 20.0, 0.5) for i in range(5)]


def test_four_places_a_picture_in_the_order_of_reading():
    frame = np.zeros((140, 520, 3), np.uint8)
    for index in range(5):
        frame[:, 15 + 90 * index : 105 + 90 * index] = 40 * (index + 1)
    shown = list(mosaics(Pyramid(frame), [tile_at(place) for place in PLACES]))
    assert [picture.shape for picture in shown] == [(128, 128, 3)] * 2
    corners = [shown[0][y, x, 0] for y in (32, 96) for x in (32, 96)]
    assert [*corners, shown[1][32, 32, 0]] == [40, 80, 120, 160, 200]
    assert (shown[1][64:] == 128).all()  # nothing was left to show there


@pytest.mark.parametrize("sight", [FIRST_SIGHT, *FURTHER_SIGHTS])
def test_a_tile_shows_its_place_and_all_of_the_face(sight):
    window = tile_at(PLACES[0], sight)
    assert window.scale * window.shape[0] == pytest.approx(sight.margin * PLACES[0].side)
    moved = window.outline().mean(0) - PLACES[0].center
    np.testing.assert_allclose(moved, (sight.shift * PLACES[0].side, 0), atol=1e-9)
    low, high = window.outline().min(0), window.outline().max(0)
    assert (low <= PLACES[0].center - PLACES[0].side / 2).all()
    assert (high >= PLACES[0].center + PLACES[0].side / 2).all()


@pytest.mark.parametrize("index", range(4))
def test_a_sighting_in_a_tile_is_of_its_place(index):
    corner = np.array([index % 2, index // 2]) * 128.0
    found, begins = place_in(corner + (50.0, 90.0))
    assert found == index
    np.testing.assert_allclose(begins, corner)


@pytest.mark.parametrize("at", [(-20.0, -3.0), (300.0, 270.0)])
def test_a_sighting_beyond_the_picture_is_of_the_nearest_tile(at):
    assert place_in(np.array(at))[0] == (0 if at[0] < 0 else 3)
