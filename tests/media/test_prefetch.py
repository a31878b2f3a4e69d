import threading
import time
from functools import partial

import pytest
from fixtures.waiting import until

from facewarp.media import prefetch
from facewarp.media.prefetch import ReadAhead, WriteBehind, WritePool, queue_depth


def test_depth_follows_the_size():
    assert [queue_depth(size) for size in (0, 1 << 10, 8 << 20, 1 << 30)] == [16, 16, 8, 2]


def test_reads_in_order_and_no_further_ahead_than_asked():
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    reader = ReadAhead(items, 3, "reader")
    assert next(reader) == 0
    time.sleep(0.3)
    assert len(made) <= 6
    assert list(reader) == list(range(1, 20))
    assert list(reader) == []


def test_it_reads_further_ahead_the_more_is_taken():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    reader = ReadAhead(items, 8, "reader")
    least = {0: 2, 7: 4, 59: 8}
    for number in range(60):
        assert next(reader) == number
        if number in least:
            until(lambda number=number: len(made) - number - 1 >= least[number])
            time.sleep(0.1)
            assert len(made) - number - 1 <= least[number] + 1
    reader.close()


def test_error_of_the_items_comes_after_them():
    def items():
        yield 1
        raise KeyError("made in the thread")

    reader = ReadAhead(items, 2, "reader")
    assert next(reader) == 1
    with pytest.raises(KeyError, match="made in the thread"):
        next(reader)


def test_closing_ends_the_items_in_their_thread():
    ended_in = []

    def items():
        try:
            while True:
                yield 0
        finally:
            ended_in.append(threading.current_thread().name)

    reader = ReadAhead(items, 2, "reader")
    next(reader)
    reader.close()
    assert ended_in == ["reader"]
    assert list(reader) == []


def test_writes_in_order_then_wraps_up():
    dealt = []
    writer = WriteBehind(dealt.append, lambda: dealt.append("end"), 2, "writer")
    for number in range(10):
        writer.put(number)
    writer.finish()
    writer.finish()
    assert dealt == [*range(10), "end"]


def test_error_of_the_thread_surfaces():
    def deal(number):
        if number == 2:
            raise OSError("dealt in the thread")

    writer = WriteBehind(deal, lambda: None, 2, "writer")
    with pytest.raises(OSError, match="dealt in the thread"):
        all(writer.put(number) is None for number in range(100))
    with pytest.raises(OSError, match="dealt in the thread"):
        writer.finish()
    writer.cancel()


def test_cancelling_drops_what_waits():
    dealt, busy, gate = [], threading.Event(), threading.Event()

    def deal(number):
        busy.set()
        assert gate.wait(60)
        dealt.append(number)

    writer = WriteBehind(deal, lambda: dealt.append("end"), 4, "writer")
    for number in range(4):
        writer.put(number)
    assert busy.wait(60)
    dropping = threading.Thread(target=writer.cancel)
    dropping.start()
    until(writer._drop.is_set)
    gate.set()
    dropping.join()
    assert dealt == [0]


def test_results_of_a_pool_come_in_order_and_few_jobs_run_at_once():
    taken, running, most = [], [], []

    def job(number):
        running.append(number)
        most.append(len(running))
        time.sleep(0.001 * (number * 7 % 5))
        running.remove(number)
        return number

    pool = WritePool(3, taken.append, "pool")
    for number in range(30):
        pool.put(partial(job, number))
    pool.finish()
    pool.finish()
    assert taken == list(range(30))
    assert max(most) <= 3


def test_the_first_error_of_a_pool_surfaces_and_later_results_do_not():
    taken = []

    def job(number):
        if number == 2:
            raise OSError("no space")
        return number

    pool = WritePool(2, taken.append, "pool")
    with pytest.raises(OSError, match="no space"):
        all(pool.put(partial(job, number)) is None for number in range(100))
    pool.abort()
    assert taken == [0, 1]


def test_an_interrupted_pool_finishes_what_it_was_given(monkeypatch):
    taken, gate = [], threading.Event()

    def job(number):
        assert gate.wait(60)
        return number

    def interrupted(*_):
        monkeypatch.setattr(prefetch, "wait", waits)
        gate.set()
        raise KeyboardInterrupt

    waits = prefetch.wait
    monkeypatch.setattr(prefetch, "wait", interrupted)
    pool = WritePool(2, taken.append, "pool")
    with pytest.raises(KeyboardInterrupt):
        all(pool.put(partial(job, number)) is None for number in range(5))
    pool.finish()
    assert taken == [0, 1]
