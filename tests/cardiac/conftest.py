"""Beating hearts as files, and a model that knows their equations."""

from functools import cache
from itertools import product

import nibabel as nib
import numpy as np
import pytest
import torch

from facewarp.cardiac.parts import PART_NAMES, HeartPart
from facewarp.core.config import ModelConfig
from facewarp.training.synthetic.beating_heart import (
    BeatingCine,
    BeatingHeart,
    beating_labels,
    stack_place,
)

GRAY = np.array([0.0, 0.1, 0.2, 1.0], np.float32)  # of the parts, as KnowingModel reads them
PLAIN = np.diag([-1.0, -1.0, 1.0, 1.0])  # from the heart's frame to the world: x to L, y to P


class KnowingModel:
    """Stands in for a trained network: it knows the heart's equations, not where the heart is.

    The cavity of the left ventricle is what is bright. Its middle, its first slice and its volume
    tell place and contraction, and the equations the rest, on any window.
    """

    sha256 = "0" * 64

    def __init__(self, heart, contraction, shape=(16, 96, 96)):
        self.heart, self.contraction = heart, np.asarray(contraction)
        self.config = ModelConfig(
            kind="heart",
            classes=PART_NAMES,
            grid_shape=(16, 96, 96),
            spacing_mm=(1.8, 1.8, 10.0),
            input_shape=(16, 96, 96),
            field_shape=(16, 96, 96),
        ).on_grid(shape)

    def on_grid(self, shape):
        return knowing_model(self.heart, tuple(self.contraction), tuple(shape))

    def probabilities(self, images):
        return torch.from_numpy(
            np.stack([self._shares(*self._find((image - 0.2) / 0.8)) for image in images[:, 0]])
        )

    def fields(self, fixed, moving):
        fields = []
        for pair in zip(fixed, moving, strict=True):
            (place, before), (other, after) = (self._find(one[HeartPart.LV]) for one in pair)
            away = np.reshape(np.subtract(other, place), (3, 1, 1, 1)).astype(np.float32)
            fields.append(self._field(place, before, after) + away)
        return torch.from_numpy(np.stack(fields))

    def _find(self, cavity):
        """Where the middle of the base is on the grid, and how far the heart has contracted."""
        cavity = cavity.numpy().clip(0, 1)
        volume_ml = cavity.sum() * np.prod(self.config.spacing_mm) / 1000
        if volume_ml < 1:  # it is not in this window
            return (1e3, 1e3, 1e3), 0.0
        _, y, x = np.indices(cavity.shape)
        base = np.flatnonzero(cavity.max(axis=(1, 2)) > 0.5)[0] - 0.5
        middle = [round(float((axis * cavity).sum() / cavity.sum()), 2) for axis in (x, y)]
        known = np.array([self.heart.lv_ml(c) for c in self.contraction])
        nearest = np.abs(known - volume_ml).argmin()
        return (*middle, float(base)), float(self.contraction[nearest])

    def _points(self, place):
        z, y, x = np.indices(self.config.grid_shape)
        points = np.stack([axis - at for axis, at in zip((x, y, z), place, strict=True)], axis=-1)
        return points * self.config.spacing_mm

    @cache  # noqa: B019 - the same places come again in many tests
    def _shares(self, place, contraction):
        shares = np.zeros((len(HeartPart), *self.config.grid_shape), np.float32)
        for x, y in product((-0.45, 0.45), repeat=2):
            points = self._points(place) + (x, y, 0.0)
            ids = self.heart.parts(self.heart.unmoved(points, contraction))
            shares += (ids == np.arange(4).reshape(4, 1, 1, 1)) / 4
        return shares

    @cache  # noqa: B019
    def _field(self, place, before, after):
        points = self._points(place)
        moved = self.heart.moved(self.heart.unmoved(points, before), after)
        return np.moveaxis((moved - points) / self.config.spacing_mm, -1, 0).astype(np.float32)


@pytest.fixture(scope="session")
def beating():
    """Six phases of a heart's labels, fine enough to be exact."""
    heart, shape = BeatingHeart(), (10, 120, 130)
    to_heart, contraction = stack_place(shape, (1.5, 1.5, 10.0)), heart.contraction(6)
    labels = beating_labels(heart, contraction, shape, to_heart)
    images = GRAY[labels] + np.random.default_rng(1).uniform(0, 0.01, labels.shape)
    return BeatingCine(images.astype(np.float32), labels, to_heart, contraction, heart)


@cache
def knowing_model(heart, contraction, shape=(16, 96, 96)):
    return KnowingModel(heart, contraction, shape)


@pytest.fixture(scope="session")
def knowing(beating):
    return knowing_model(beating.heart, tuple(beating.contraction.tolist()))


def oblique(degrees=25.0):
    """A turn of the world about a slanted axis."""
    x, y, z = np.array([0.3, -0.5, 0.81]) / np.linalg.norm([0.3, -0.5, 0.81])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    turn[:3, 3] = (12.0, -30.0, 55.0)
    return turn


def write_nifti(path, data, affine, time_step=None, dtype=np.float32):
    """Write ``([T,] D, H, W)`` as ``(X, Y, Z[, T])``."""
    image = nib.Nifti1Image(np.asarray(data).T.astype(dtype), affine)
    image.header.set_xyzt_units("mm", "sec" if time_step else "unknown")
    if time_step:
        image.header["pixdim"][4] = time_step
    nib.save(image, path)
    return path


@pytest.fixture
def nifti_of(tmp_path):
    """Writes arrays as NIfTI files into the test's folder."""

    def write(name, data, affine, **more):
        return write_nifti(tmp_path / name, data, affine, **more)

    return write


@pytest.fixture(scope="session")
def plain():
    return PLAIN


@pytest.fixture(scope="session", name="oblique")
def _oblique():
    return oblique


@pytest.fixture(scope="session", name="write_nifti")
def _write_nifti():
    return write_nifti
