"""What pictures tell of the order of slices and phases."""

import nibabel as nib
import numpy as np
import pytest
from fixtures.dicom_scans import numbered

from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.io.slices.phase_similarity import (
    about_copies,
    about_doubled,
    about_slice_order,
    mixed_up,
    out_of_order,
    slice_order,
)
from facewarp.training.synthetic.phantom.recipe import PhantomWishes, draw_recipe


@pytest.fixture
def cine():
    return numbered()


@pytest.fixture
def ring(rng):
    """(20, 4, 64, 64): a bright ring that narrows quickly and widens slowly, with noise."""
    y, x = np.mgrid[:64, :64]
    phase = np.arange(20) / 20
    radius = 20 - 7 * np.where(phase < 0.35, np.sin(np.pi * phase / 0.7), 1 - (phase - 0.35) / 0.65)
    stack = [[100 * np.exp(-(((np.hypot(x - 32, y - 30) - r + z) / 3) ** 2)) for z in range(4)]
             for r in radius]  # fmt: skip
    return (np.array(stack) + rng.normal(0, 5, (20, 4, 64, 64))).astype(np.float32)


def test_mixed_up_stacks_are_told_from_right_ones(cine, rng):
    dealt = cine.transpose(1, 0, 2, 3).reshape(12, 6, *cine.shape[2:])
    assert mixed_up(dealt, 8.0)
    assert not mixed_up(cine, 8.0)
    assert not mixed_up(cine[:2], 8.0)
    assert not mixed_up(rng.uniform(0, 1, (12, 6, 20, 24)).astype(np.float32), 8.0)
    alike = np.broadcast_to(cine[:, :1], cine.shape)  # thin slices look alike, too
    assert not mixed_up(np.ascontiguousarray(alike), 1.8)


def test_a_slice_that_was_filled_up_with_copies_is_said(ring):
    """A slice of fewer phases than others, as np.pad with mode="edge" makes it as many."""
    assert about_copies(ring) == []
    filled = ring.copy()
    filled[17:, 2] = filled[16, 2]
    (said,) = about_copies(filled)
    assert "as in the phase before is in slice 3, phase 18, 19, 20: where a slice has" in said
    twice = ring.copy()
    twice[5] = twice[4]
    (said,) = about_copies(twice)
    assert "phases 5 and 6 hold the very same pictures" in said


def test_a_beating_ring_is_in_order_from_whichever_phase_on(ring):
    assert out_of_order(ring) == out_of_order(np.roll(ring, 7, 0)) == []
    assert out_of_order(ring[::-1]) == out_of_order(ring[:5][[0, 3, 1, 4, 2]]) == []


def test_phases_in_the_order_of_letters_are_out_of_order(ring):
    letters = sorted(range(20), key=lambda t: str(t + 1))
    assert out_of_order(ring[letters]) == [0, 1, 2, 3]


@pytest.mark.filterwarnings("error")
def test_one_stray_value_does_not_hide_the_order(ring):
    """Squares of it are beyond float32, of which NumPy spoke on the terminal."""
    letters = sorted(range(20), key=lambda t: str(t + 1))
    shuffled = ring[letters]
    shuffled[3, 1, 5, 5] = 1e30
    assert set(out_of_order(shuffled)) >= {0, 2, 3}


def test_the_one_slice_that_is_shuffled_is_named(ring, rng):
    ring[:, 2] = ring[rng.permutation(20), 2]
    assert out_of_order(ring) == [2]


def test_a_heart_whose_way_back_is_its_way_out_is_in_order(beating):
    assert out_of_order(beating.images) == []


def test_noise_and_what_stands_still_are_in_any_order(rng):
    assert out_of_order(rng.normal(0, 1, (20, 3, 64, 64)).astype(np.float32)) == []
    assert out_of_order(np.ones((20, 3, 64, 64), np.float32)) == []


def test_several_beats_are_not_judged(ring, rng):
    beats = np.concatenate([ring[::2]] * 3) + rng.normal(0, 1, (30, 4, 64, 64))
    assert out_of_order(beats.astype(np.float32)) == []


def test_one_beat_and_a_half_is_not_judged(ring, rng):
    beats = np.concatenate([ring[::2], ring[:12:2]]) + rng.normal(0, 1, (16, 4, 64, 64))
    assert out_of_order(beats.astype(np.float32)) == []


@pytest.fixture(scope="module")
def scanned():
    """(2, 11, 80, 80) of a drawn chest: end-diastole and end-systole."""
    wishes = PhantomWishes(seed=7, phases=2, slice_mm=9.0, pixel_mm=2.6)
    return draw_recipe(wishes, 1).scanner().scan()[0]


@pytest.mark.parametrize(
    "order",
    [
        [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10],
        [0, 2, 3, 4, 5, 6, 7, 1, 8, 9, 10],
        sorted(range(11), key=lambda z: str(z + 1)),  # by the letters of their names
        [*range(0, 11, 2), *range(1, 11, 2)],  # as they were acquired
        [0, 1, 2, 3, 4, 10, 9, 8, 7, 6, 5],
    ],
)
def test_slices_in_a_wrong_order_are_put_right(scanned, order):
    assert slice_order(scanned) == list(range(scanned.shape[1]))
    found = [order[place] for place in slice_order(scanned[:, order])]
    assert found in (sorted(order), sorted(order)[::-1])
    (said,) = about_slice_order(scanned[:, order], 9.0)
    assert said.startswith("the order of the slices seems to be wrong")


def test_a_cine_whose_slices_are_out_of_order_is_read_and_said(scanned, tmp_path):
    order = [0, 1, 2, 3, 4, 6, 5, 7, 8, 8, 9, 10]
    cine = scanned[:, order]
    cine[:, 9, 0, 0] += 1e-3  # no copy
    nib.save(nib.Nifti1Image(cine.T, np.diag([2.6, 2.6, 9.0, 1.0])), tmp_path / "cine.nii.gz")
    said = " ".join(open_cine(tmp_path / "cine.nii.gz").volume.warnings)
    assert "follow one another as neighbors do in the order 1 2 3 4 5 7 6 8 9 10 11 12" in said
    assert "slices 9 and 10 look as alike as pictures of one place" in said


def test_slices_without_a_picture_stay_where_they_are(scanned):
    empty = np.zeros_like(scanned[:, :2])
    padded = np.concatenate([empty, scanned[:, [0, 2, 1, *range(3, 11)]], empty], axis=1)
    assert slice_order(padded) == [0, 1, 2, 4, 3, *range(5, 15)]
    assert about_slice_order(scanned[:, :4], 9.0) == []


def test_slices_far_apart_tell_no_order(scanned):
    far = scanned[:, [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10]]
    assert about_slice_order(far, 12.0)
    assert about_slice_order(far, 16.0) == []


def test_an_implants_bright_artifact_tells_no_order(scanned):
    """Of one slice it made it unlike all others, which were said to lie in another order."""
    shining = scanned.copy()
    shining[:, 5, 40:43, 40:43] = 40 * scanned.max()
    assert about_slice_order(shining, 9.0) == []
    exchanged = [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10]
    assert about_slice_order(shining[:, exchanged], 9.0)


def test_noise_has_no_order_of_slices(rng):
    assert about_slice_order(rng.normal(0, 1, (3, 10, 64, 64)).astype(np.float32), 9.0) == []


def test_a_slice_acquired_twice_is_said(scanned, rng):
    assert about_doubled(scanned, 9.0) == []
    again = np.insert(scanned, 6, scanned[:, 6], axis=1)
    again += rng.normal(0, 0.02, again.shape).astype(np.float32)
    (said,) = about_doubled(again, 9.0)
    assert said.startswith("slices 7 and 8 look as alike as pictures of one place")
    assert about_doubled(again, 2.0) == []
    assert about_doubled(np.insert(scanned, 6, scanned[:, 6], axis=1), 9.0) == []  # a copy
