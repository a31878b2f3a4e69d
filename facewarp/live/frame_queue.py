"""A bounded queue between two threads."""

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

_WAIT_S = 0.1


class FrameQueue(Generic[T]):
    """A bounded queue between the thread that puts items and the one that takes them.

    Each item is taken once, in the order put.

    Args:
        drop_oldest: when the queue is full, drop the oldest item; else `put` waits until there is
            room (backpressure).
        depth: the most items that the queue holds.

    Attributes:
        dropped: how many items were dropped because the queue was full.
    """

    def __init__(self, *, drop_oldest: bool, depth: int = 1) -> None:
        self._drop_oldest = drop_oldest
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._no_more = False
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Put an item; return False, and drop it, once the queue is closed."""
        with self._changed:
            while len(self._items) >= self._depth and not self._drop_oldest and not self._closed:
                self._changed.wait(_WAIT_S)
            if self._closed:
                return False
            if len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self, timeout: float) -> T | None:
        """Return the next item, waiting `timeout` seconds at most; None if none has come."""
        with self._changed:
            if not self._items and not self.ended:
                self._changed.wait(timeout)
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait `timeout` seconds at most until all items are taken; return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._items, timeout)

    def end(self) -> None:
        """Announce that no more items will be put; those queued can still be taken."""
        with self._changed:
            self._no_more = True
            self._changed.notify_all()

    def close(self) -> None:
        """Drop the queued items; nothing can be put any more, and nobody waits."""
        with self._changed:
            self._no_more = self._closed = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether nothing is queued and nothing will come."""
        return self._no_more and not self._items
