"""Context managers that close what they hold at the end."""

from threading import Event

import pytest

from facewarp.system.closing import Closing, MadeAhead


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


def test_what_is_made_ahead_is_made_meanwhile_and_closed():
    go_on = Event()

    def make():
        assert go_on.wait(30)
        return Door()

    with MadeAhead(make) as ahead:
        go_on.set()  # it would wait for ever were it made here
        door = ahead.get()
        assert ahead.get() is door
        assert not door.closed
    assert door.closed == 1


def test_what_making_raised_is_raised_where_it_is_wanted():
    def fail():
        raise ValueError("no wood")

    with MadeAhead(fail) as ahead:
        with pytest.raises(ValueError, match="no wood"):
            ahead.get()
        with pytest.raises(ValueError, match="no wood"):
            ahead.get()


def test_what_is_never_asked_for_is_closed_too():
    door = Door()
    with MadeAhead(lambda: door):
        pass
    assert door.closed == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_neither_ctrl_c_nor_an_error_waits_for_what_is_still_being_made(error):
    go_on, closed = Event(), Event()

    class Slow(Closing):
        def close(self):
            closed.set()

    def make():
        assert go_on.wait(30)
        return Slow()

    with pytest.raises(error), MadeAhead(make):
        raise error
    assert not closed.is_set()  # it would have waited for ever
    go_on.set()
    assert closed.wait(30)


def test_ctrl_c_closes_what_is_made():
    door = Door()
    ahead = MadeAhead(lambda: door)
    ahead.get()
    with pytest.raises(KeyboardInterrupt), ahead:
        raise KeyboardInterrupt
    assert door.closed == 1
