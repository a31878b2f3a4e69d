"""Where outlines lie off: found again from volumes alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.slice_parts import EdgeOffsets, SliceParts
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError
from facewarp.training.release import heart_edges
from facewarp.training.release.heart_edges import FEWEST, fit_edges, offsets_mm

PX, APART = 1.4, 9.0


def seen(lv_off_mm: float, rv_off_mm: float, blunt: float) -> SliceParts:
    """Two round cavities apart from each other, in two phases of three slices; edges lie off."""
    grid = ModelGrid((3, 110, 110), (PX, PX, APART), (3, 110, 110), np.eye(4))
    y, x = np.indices((110, 110)) * PX

    def disk(middle: float, radius: float) -> FloatArray:
        return special.expit((radius - np.hypot(x - middle, y - 75)) / blunt)

    phases = []
    for size in (1.0, 0.7):
        whole, rv = disk(105.0, 24 * size + 9), disk(40.0, 20 * size + rv_off_mm)
        lv = disk(105.0, 24 * size + lv_off_mm)
        phases.append(np.stack([1 - whole - rv, rv, whole - lv, lv]))
    parts = np.repeat(np.stack(phases)[:, :, None], 3, axis=2).astype(np.float32)
    return SliceParts(grid, parts)


@pytest.mark.parametrize("blunt", [0.4, 1.5])
def test_an_offset_is_found_however_sure_the_network_is(blunt: float) -> None:
    found = offsets_mm(seen(-0.4, 0.3, blunt), seen(0.0, 0.0, blunt).volumes_ml())
    np.testing.assert_allclose(found, [0.4, -0.3], atol=0.03)


def test_volumes_with_the_fitted_offset_are_true() -> None:
    true, found = seen(0.0, 0.0, 0.8).volumes_ml(), seen(-0.4, 0.3, 0.8)
    lv_mm, rv_mm = offsets_mm(found, true).tolist()
    moved = replace(found, edges=EdgeOffsets(lv_mm, rv_mm)).volumes_ml()
    off, before = np.abs(moved - true), np.abs(found.volumes_ml() - true)
    parts = [HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV]
    assert (off[:, parts] < 0.1 * before[:, parts]).all()


def test_too_few_patients_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart_edges, "slices_beside", lambda _model: object())
    with pytest.raises(FacewarpError, match=rf"0 patients are too few.*Give {FEWEST}"):
        fit_edges(None, [], "nobody")  # type: ignore[arg-type]
    monkeypatch.setattr(heart_edges, "slices_beside", lambda _model: None)
    with pytest.raises(FacewarpError, match="no part network of slices"):
        fit_edges(None, [], "nobody")  # type: ignore[arg-type]
