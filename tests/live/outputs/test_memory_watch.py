"""Memory is measured now and then, and what is free is handed back once."""

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


def test_what_is_free_is_handed_back_once_after_the_first_seconds(clock):
    watch = MemoryWatch()
    for second in range(1, 140):
        clock.s = float(second)
        watch.idle()
    assert clock.returned == [10.0]
    assert [s for s, _ in watch.notes] == [0.0, 10.0, 70.0, 130.0]
    assert watch.summary() == {"start": 400.0, "settled": 350.0, "end": 352.0}


def test_a_session_that_ends_before_has_no_settled_size(clock):
    watch = MemoryWatch()
    clock.s = 3.0
    watch.close()
    assert clock.returned == []
    assert watch.summary() == {"start": 400.0, "settled": None, "end": 350.0}
