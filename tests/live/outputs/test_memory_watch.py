"""Memory is measured now and then, and what is free is handed back."""

import gc
import weakref
from types import SimpleNamespace

import pytest

from facewarp.live.outputs import memory_watch
from facewarp.live.outputs.memory_watch import MemoryWatch


@pytest.fixture
def clock(monkeypatch):
    """Seconds, and the sizes that are measured then."""
    now = SimpleNamespace(s=0.0, returned=[], sizes=iter([400e6, 350e6, 351e6, 352e6]))
    monkeypatch.setattr(memory_watch.time, "perf_counter", lambda: now.s)
    monkeypatch.setattr(memory_watch, "resident_bytes", lambda: next(now.sizes))
    monkeypatch.setattr(memory_watch, "return_freed_memory", lambda: now.returned.append(now.s))
    return now


def test_what_is_free_is_handed_back_every_ten_seconds(clock):
    watch = MemoryWatch()
    for second in range(1, 140):
        clock.s = float(second)
        watch.idle()
    assert clock.returned == [10.0 * turn for turn in range(1, 14)]
    assert [s for s, _ in watch.notes] == [0.0, 10.0, 70.0, 130.0]
    assert watch.summary() == {"start": 400.0, "settled": 350.0, "end": 352.0}


def test_a_session_that_ends_before_has_no_settled_size(clock):
    watch = MemoryWatch()
    clock.s = 3.0
    watch.close()
    assert clock.returned == []
    assert watch.summary() == {"start": 400.0, "settled": None, "end": 350.0}


def test_what_refers_to_itself_is_collected(clock):
    class Picture:
        pass

    picture = Picture()
    picture.itself = picture
    seen = weakref.ref(picture)
    gc.disable()
    try:
        watch = MemoryWatch()
        del picture
        clock.s = 9.0
        watch.idle()
        assert seen() is not None
        clock.s = 10.0
        watch.idle()
        assert seen() is None
    finally:
        gc.enable()
