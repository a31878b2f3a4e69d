"""A face's values that are left for later: computed once, when they are asked for."""

from dataclasses import replace

import numpy as np
import pytest

from facewarp.face.face import Later


@pytest.fixture
def asked():
    """How often the value of `late` was computed."""
    return []


@pytest.fixture
def late(face_at, asked):
    def compute():
        asked.append(1)
        return np.full((2, 80, 65), 3, np.float32)

    return face_at(field=Later(compute))


def test_a_value_is_computed_once_when_it_is_asked_for(late, asked):
    assert not asked
    assert (late.grid_field == 3).all()
    assert late.field.shape == (2, 320, 260)
    assert len(asked) == 1


def test_a_changed_face_leaves_for_later_what_was_not_asked_for(late, asked):
    other = late.changed(id=7)
    assert (other.id, late.id) == (7, 3)
    assert not asked
    assert other.grid_field is late.grid_field
    assert len(asked) == 1


def test_what_was_made_of_the_old_values_is_made_anew(late):
    assert (late.field == 3).all()
    assert (late.changed(grid_field=0 * late.grid_field).field == 0).all()


def test_dataclasses_know_a_face_with_values_for_later(late, asked):
    assert (replace(late, id=7).grid_field == 3).all()
    assert len(asked) == 1
    with pytest.raises(TypeError, match="grid_field"):
        type(late)(id=0)


def test_a_face_can_not_be_changed_in_place_or_in_what_it_has_not(late):
    with pytest.raises(AttributeError):
        late.grid_field = None
    with pytest.raises(TypeError, match="nose"):
        late.changed(nose=1)
