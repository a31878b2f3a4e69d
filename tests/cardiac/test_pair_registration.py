import numpy as np
import pytest

from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.pair_registration import register_volumes
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError


@pytest.fixture
def volume(beating, nifti_of, plain, oblique):
    """A phase of the heart as a volume, somewhere in the world."""

    def made(phase, turn=0.0, flips=False):
        data, affine = beating.images[phase], oblique(turn) @ plain @ beating.to_heart
        if flips:
            data = data[:, ::-1]
            affine = affine.copy()
            affine[:3, 3] += affine[:3, 1] * (data.shape[1] - 1)
            affine[:3, 1] *= -1
        path = nifti_of(f"p{phase}_{turn:.0f}_{flips}.nii.gz", data, affine)
        return read_volume(path).slices_first()

    return made


def dice(a, b, part):
    return 2 * ((a == part) & (b == part)).sum() / ((a == part).sum() + (b == part).sum())


@pytest.mark.slow
@pytest.mark.parametrize(("turn", "flips"), [(0.0, False), (0.0, True), (25.0, False)])
def test_end_systole_is_carried_onto_end_diastole(beating, knowing, volume, turn, flips):
    """Wherever the two lie and however they are stored, heart comes to lie on heart."""
    es = int(beating.contraction.argmax())
    fixed, moving = volume(0), volume(es, turn, flips)
    pair = register_volumes(knowing, fixed, moving)
    for part in (HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV):
        assert dice(pair.labels_warped, beating.labels[0], part) > 0.93, part
    assert dice(pair.labels_before, beating.labels[0], HeartPart.LV) < 0.85
    heart = beating.labels[0] > 0
    error = np.abs(pair.warped - fixed.data)
    assert error[heart].mean() < 0.3 * np.abs(pair.before - fixed.data)[heart].mean()


@pytest.mark.slow
def test_the_field_leads_to_the_same_place_in_the_world(beating, knowing, volume):
    es = int(beating.contraction.argmax())
    fixed, moving = volume(0), volume(es, 25.0)
    field = register_volumes(knowing, fixed, moving).field
    z, y, x = np.nonzero(beating.labels[0] == HeartPart.LV)
    voxels = np.stack([x, y, z], axis=-1)
    points = voxels @ beating.to_heart[:3, :3].T + beating.to_heart[:3, 3]
    moved = beating.heart.moved(points, float(beating.contraction[es]))
    in_moving = (moved - beating.to_heart[:3, 3]) / np.diag(beating.to_heart)[:3]
    expected = in_moving @ moving.affine[:3, :3].T + moving.affine[:3, 3]
    there = voxels + field[:, z, y, x].T
    found = there @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    assert np.linalg.norm(found - expected, axis=1).mean() < 1.0  # mm


def test_a_cine_is_no_volume(knowing, volume, nifti_of, beating, plain):
    path = nifti_of("cine.nii.gz", beating.images, plain @ beating.to_heart)
    with pytest.raises(FacewarpError, match="a cine of 6 phases"):
        register_volumes(knowing, volume(0), read_volume(path))
