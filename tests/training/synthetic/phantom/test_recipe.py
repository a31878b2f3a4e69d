import json

import numpy as np
import pytest

from facewarp.cardiac.quantification.aha_segments import SEGMENT_NAMES
from facewarp.errors import FacewarpError
from facewarp.training.synthetic.phantom.recipe import (
    PhantomRecipe,
    PhantomWishes,
    draw_recipe,
    infarct_of,
)


def test_a_recipe_survives_json():
    wishes = PhantomWishes(seed=3, infarct_segments=(8,), ejection_fractions=(40.0,))
    recipe = draw_recipe(wishes, 1)
    again = PhantomRecipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert draw_recipe(wishes, 1) == recipe
    assert draw_recipe(wishes, 2) != recipe
    assert recipe.infarct_segment == 8
    with pytest.raises(ValueError, match="formulas"):
        PhantomRecipe.from_dict({**recipe.to_dict(), "generator": 0})


def test_what_is_asked_comes_one_phantom_after_another():
    wishes = PhantomWishes(ejection_fractions=(60.0, 30.0), infarct_segments=(0, 16))
    drawn = [draw_recipe(wishes, n) for n in (1, 2, 3)]
    assert [r.motion.ejection_fraction for r in drawn] == [60, 30, 60]
    assert [r.infarct_segment for r in drawn] == [None, 16, None]


def test_the_base_lies_between_two_slices_at_both_moments():
    recipe = draw_recipe(PhantomWishes(seed=5), 1)
    thick = recipe.scan.spacing_mm[2]
    sunk = recipe.motion.moved(np.array([0.0, 0, 0]), 1.0)[2]
    for level in (0.0, sunk):
        assert ((level - recipe.scan.first_mm) / thick) % 1 == pytest.approx(0.5, abs=1e-6)
    told = draw_recipe(PhantomWishes(seed=5, shortening_percent=4.0), 1)
    assert told.motion.shortening == 0.04
    assert told.scan.first_mm == recipe.scan.first_mm
    free = draw_recipe(PhantomWishes(seed=5, base="free"), 1)
    assert ((0 - free.scan.first_mm) / thick) % 1 != pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("segment", SEGMENT_NAMES)
def test_an_infarct_lies_where_its_segments_name_says(segment):
    """Degrees grow from the septum's middle over the anterior wall; y points down."""
    infarct, name = infarct_of(segment), SEGMENT_NAMES[segment]
    middle = np.radians(180 + sum(infarct.degrees) / 2)
    x, y = np.cos(middle), np.sin(middle)
    assert ("anter" in name) == (y < -0.1)
    assert ("infer" in name) == (y > 0.1)
    assert ("sept" in name) == (x < -0.1)
    assert ("lateral" in name) == (x > 0.1)
    level = round(3 * sum(infarct.levels) / 2 - 0.5)
    assert name.startswith(("basal", "mid", "apical")[level])


def test_an_impossible_heart_is_told():
    with pytest.raises(FacewarpError, match="ejects 80 %"):
        draw_recipe(
            PhantomWishes(ejection_fractions=(80.0,), infarct_segments=(8,), slice_mm=2.0),
            1,
        )
