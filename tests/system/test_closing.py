"""Context managers that close themselves at the end."""

import pytest

from facewarp.system.closing import Closing


class Door(Closing):
    """Counts how often it was closed."""

    closed = 0

    def close(self):
        self.closed += 1


def test_with_gives_the_object_and_closes_it():
    with Door() as door:
        assert isinstance(door, Door)
        assert not door.closed
    assert door.closed == 1


def test_it_is_closed_after_an_error_which_goes_on():
    door = Door()
    with pytest.raises(ValueError, match="wind"), door:
        raise ValueError("wind")
    assert door.closed == 1
