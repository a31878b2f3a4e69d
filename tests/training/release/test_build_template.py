"""The command that makes the template that ships, on photographs of one portrait."""

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from fixtures.points import write_pts

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.parts import mirrored_points
from facewarp.face.template.template import Template
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.training.release.build_template import MARGIN, first_shape, main, member_of

WIDTH = CROP_SHAPE[1]


@pytest.fixture
def member(photo, tmp_path):
    path = tmp_path / "drawn.png"
    PIL.Image.fromarray(photo.image).save(path)
    return member_of(replace(photo, path=path))


def test_faces_are_levelled_and_fill_the_crop(member):
    low, high = member.landmarks.min(0), member.landmarks.max(0)
    assert (high - low).max() == pytest.approx(CROP_SHAPE[0] / MARGIN, abs=1)
    np.testing.assert_allclose((low + high) / 2, ((WIDTH - 1) / 2, (CROP_SHAPE[0] - 1) / 2))
    eyes = member.landmarks[36:42].mean(0), member.landmarks[42:48].mean(0)
    assert eyes[0][1] == pytest.approx(eyes[1][1])
    assert member.image.shape == member.labels.shape == CROP_SHAPE
    assert member.color.shape == (*CROP_SHAPE, 3)


def test_the_first_shape_is_the_symmetric_mean(member):
    soft, mean = first_shape([member])
    np.testing.assert_allclose(mean, mirrored_points(mean, WIDTH))
    np.testing.assert_allclose(soft.sum(0), 1, atol=1e-5)
    assert (soft.argmax(0) == member.labels).mean() > 0.97  # the drawn face is symmetric


@pytest.mark.slow
def test_the_command_writes_template_and_metadata(portrait, tmp_path):
    (face,) = FaceRegistrar("average", "face", "cpu", 0.7).register_refined(
        portrait.image[..., 1].copy(), [Crop.around(portrait.MIDDLE, portrait.SIDE)]
    )
    for part, names in (("trainset", "ab"), ("afw", "c")):
        (tmp_path / part).mkdir()
        for name in names:
            PIL.Image.fromarray(portrait.image).save(tmp_path / part / f"{name}.jpg")
            write_pts(tmp_path / part / f"{name}.pts", face.landmarks)
    out = tmp_path / "made" / "one.npz"
    main(["--data", str(tmp_path), "--out", str(out), "--limit", "2"])
    template = Template.load(out)
    assert template.name == "one"
    assert template.origin["photographs"] == 2
    assert len(template.origin["drift_px"]) == template.origin["rounds"]
    np.testing.assert_array_equal(template.image, template.image[:, ::-1])
    with pytest.raises(FacewarpError):
        main(["--data", str(tmp_path / "nowhere"), "--out", str(out)])
