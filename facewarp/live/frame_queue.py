"""What one thread hands to the next: the newest only, or everything in turn, and never a heap."""

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

_WAIT_S = 0.1


class Handover(Generic[T]):
    """A bounded place between the thread that puts items and the one that takes them.

    Each item is taken once, in the order put.

    Args:
        newest: When full, the oldest item gives way to the new one; else `put` waits for room.
        depth: How many items may lie there.

    Attributes:
        replaced: How many items have given way.
    """

    def __init__(self, *, newest: bool, depth: int = 1) -> None:
        self._newest = newest
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._no_more = False
        self._closed = False
        self.replaced = 0

    def put(self, item: T) -> bool:
        """Hands an item over; False, and it is dropped, once closed."""
        with self._changed:
            while len(self._items) >= self._depth and not self._newest and not self._closed:
                self._changed.wait(_WAIT_S)
            if self._closed:
                return False
            if len(self._items) >= self._depth:
                self._items.popleft()
                self.replaced += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self, timeout: float) -> T | None:
        """The next item, waited for at most ``timeout`` seconds; None where none has come."""
        with self._changed:
            if not self._items and not self.ended:
                self._changed.wait(timeout)
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Says that no more will be put; what lies there can still be taken."""
        with self._changed:
            self._no_more = True
            self._changed.notify_all()

    def close(self) -> None:
        """Drops what lies there; nothing can be put any more, and nobody waits."""
        with self._changed:
            self._no_more = self._closed = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether nothing lies there and nothing will come."""
        return self._no_more and not self._items
