"""Files of labels, masks and probabilities, given where a scan is wanted."""

import numpy as np
import pytest
from scipy import ndimage

from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.io.slices.label_maps import classes_of, has_few_values
from facewarp.errors import FacewarpError


@pytest.fixture
def labels(beating):
    return beating.labels[0]


@pytest.fixture
def one_hot(labels):
    return np.stack([labels == part for part in range(4)]).astype(np.float32)


def test_one_hot_is_read_with_the_largest_class_as_nothing(labels, one_hot):
    np.testing.assert_array_equal(classes_of(one_hot)[0], labels)
    last = np.roll(one_hot, -1, axis=0)  # the background behind the parts
    np.testing.assert_array_equal(classes_of(last)[0], labels)


def test_masks_without_one_of_the_background_count_from_one(labels, one_hot):
    found, soft = classes_of(one_hot[1:])
    np.testing.assert_array_equal(found, labels)
    assert not soft


def test_probabilities_are_read_as_the_likeliest_class(one_hot):
    blurred = ndimage.gaussian_filter(one_hot, (0, 0, 1, 1))
    found, soft = classes_of(blurred / blurred.sum(axis=0))
    np.testing.assert_array_equal(found, blurred.argmax(axis=0))
    assert soft


def test_labels_over_time_and_pictures_are_no_classes(beating, one_hot, rng):
    over_time = (beating.labels == 3).astype(np.float32)  # one id alone, in every phase
    assert classes_of(over_time) is None
    assert classes_of(beating.labels) is None
    assert classes_of(rng.random((4, 3, 8, 8))) is None
    assert classes_of(one_hot[1:] * 0.5) is None  # parts of the classes tell no likeliest


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("ids over time", "labels, not a scan: the voxels hold 0, 1, 2, 3 and nothing else"),
        ("one volume", "labels, not a scan"),
        ("one-hot", "labels, not a scan"),
        ("probabilities", "probabilities of 4 classes, not a scan"),
    ],
)
def test_a_cine_of_labels_is_told_as_such(beating, plain, nifti_of, labels, one_hot, kind, told):
    soft = np.clip(one_hot, 0.02, 0.94)
    data = {
        "ids over time": np.where(np.arange(6)[:, None, None, None] == 1, beating.labels, 0),
        "one volume": labels,
        "one-hot": one_hot,
        "probabilities": soft / soft.sum(axis=0),
    }[kind]
    path = nifti_of("seg.nii.gz", data.astype(np.float32), plain @ beating.to_heart)
    with pytest.raises(FacewarpError, match=told) as caught:
        open_cine(path)
    assert "--labels" in str(caught.value)


def test_a_picture_has_more_values_than_labels(beating):
    assert has_few_values(beating.labels)
    assert not has_few_values(beating.images)
    assert not has_few_values(np.zeros((3, 16, 16)))
