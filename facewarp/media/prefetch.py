"""Reading ahead and writing behind in threads, with bounded queues, errors brought home.

Every wait has a time limit and is taken up again, so that Ctrl-C reaches the waiting thread on
all systems and nobody waits for a thread that has died.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")

_WAIT_S = 0.1
_QUEUE_BYTES = 64 << 20
_DEPTH_AT_FIRST, _TAKEN_FOR_ONE_MORE = 2, 4


def queue_depth(item_bytes: int) -> int:
    """How many items of a size to hold: enough to even out the work, little enough for 4K."""
    return max(2, min(16, _QUEUE_BYTES // max(item_bytes, 1)))


class _End:
    """Comes after the last item; carries the error that ended the items, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """An iterator whose items are made ahead of time in a thread.

    At first only a few are, so that making them does not hold up the work on the first ones; with
    every fourth that is taken one more may wait.

    Args:
        make: Called in the thread; its iterator is also closed there.
        depth: How many items may wait.
        name: Of the thread.
    """

    def __init__(self, make: Callable[[], Iterator[T]], depth: int, name: str) -> None:
        self._make = make
        self._queue: queue.Queue[T | _End] = queue.Queue(min(depth, _DEPTH_AT_FIRST))
        self._depth, self._taken = depth, 0
        self._stop = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Return the next item; raises here whatever was raised while it was made."""
        while not self._ended:
            try:
                item = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            if not isinstance(item, _End):
                self._taken += 1
                self._queue.maxsize = min(
                    self._depth, _DEPTH_AT_FIRST + self._taken // _TAKEN_FOR_ONE_MORE
                )
                return item
            self._ended = True
            self._thread.join()
            if item.error is not None:
                raise item.error
        raise StopIteration

    def close(self) -> None:
        """Stop making items, drop those that wait and join the thread."""
        self._ended = True
        self._stop.set()
        while self._thread.is_alive():
            self._thread.join(_WAIT_S)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._make():
                if not self._put(item):
                    break
        except BaseException as caught:  # noqa: BLE001  # raised again by __next__
            error = caught
        self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_WAIT_S)
            except queue.Full:
                continue
            return True
        return False


class WriteBehind(Generic[T]):
    """Items are handed over here and dealt with, in order, in a thread.

    Args:
        deal: Called in the thread with one item after the other.
        wrap_up: Called in the thread after the last item, unless it was cancelled or has failed.
            What runs there, Ctrl-C can't stop half-way.
        depth: How many items may wait.
        name: Of the thread.
    """

    def __init__(
        self, deal: Callable[[T], None], wrap_up: Callable[[], None], depth: int, name: str
    ) -> None:
        self._deal = deal
        self._wrap_up = wrap_up
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._drop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hands an item over, waiting for room; raises what the thread has met, if anything."""
        self._put(item)
        if self._error is not None:
            raise self._error

    def offer(self, item: T) -> bool:
        """Like `put`, but never waits: False where there is no room."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            taken = False
        else:
            taken = True
        if self._error is not None:
            raise self._error
        return taken

    def finish(self) -> None:
        """Wait until every item is dealt with; raise what the thread has met, if anything.

        Once interrupted it can be called again.
        """
        self._put(_End(None))
        self._join()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Drop the items that wait, end the thread after the one it is at, raise nothing."""
        self._drop.set()
        self._put(_End(None))
        self._join()

    def _put(self, item: T | _End) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put(item, timeout=_WAIT_S)
            except queue.Full:
                continue
            return

    def _join(self) -> None:
        while self._thread.is_alive():
            self._thread.join(_WAIT_S)

    def _run(self) -> None:
        try:
            while not isinstance(item := self._queue.get(), _End):
                if not self._drop.is_set():
                    self._deal(item)
            if not self._drop.is_set():
                self._wrap_up()
        except BaseException as caught:  # noqa: BLE001  # raised again by put and finish
            self._error = caught


class WritePool(Generic[T]):
    """Jobs are handed over here and done in several threads; their results come back in order.

    No more jobs wait or run at a time than there are threads: what they hold is bounded.

    Args:
        threads: How many.
        take: Called here with the result of each job, in the order they were handed over.
        name: Of the threads.
    """

    def __init__(self, threads: int, take: Callable[[T], None], name: str) -> None:
        self._threads, self._take = threads, take
        self._pool = ThreadPoolExecutor(threads, name)
        self._running: deque[Future[T]] = deque()

    def put(self, job: Callable[[], T]) -> None:
        """Hands a job over, waiting for a thread; raises what an earlier one has met, if any."""
        while len(self._running) >= self._threads:
            self._take_oldest()
        while self._running and self._running[0].done():
            self._take_oldest()
        self._running.append(self._pool.submit(job))

    def finish(self) -> None:
        """Wait until every job is done; raise what the first that failed has met.

        Once interrupted it can be called again.
        """
        while self._running:
            self._take_oldest()
        self._pool.shutdown()

    def abort(self) -> None:
        """Wait for the jobs that were handed over, drop their results and raise nothing."""
        self._running.clear()
        self._pool.shutdown()

    def _take_oldest(self) -> None:
        oldest = self._running[0]
        while not wait([oldest], _WAIT_S).done:
            pass
        self._running.popleft()
        self._take(oldest.result())
