"""Endless, seeded batches of pairs of augmented views, made in background threads."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Final

import cv2
from torch import Tensor

Batch = dict[str, Tensor]

SHOWN_AGAIN: Final = 4
"""In batches with ``moved``, every fourth picture shows the one before it again, moved."""


class Batches(ABC):
    """Endless batches, prefetched in background threads.

    Batch `step` depends on the arguments and on `step` alone, so training resumes exactly by
    starting at the step it stopped at. OpenCV releases the interpreter's lock in the threads.

    Args:
        start: step of the first batch an iteration gives.
        workers: background threads.
        prefetch: batches each thread prefetches.
    """

    def __init__(self, start: int = 0, workers: int = 1, prefetch: int = 3) -> None:
        if min(workers, prefetch) < 1:
            raise ValueError("workers and prefetch must be positive")
        self.start = start
        self.workers = workers
        self.prefetch = prefetch

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """Make batch `step`."""

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over batches `start`, `start + 1`, ... without end."""
        cv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # views are small: OpenCV's own threads would only get in the way
        ahead = self.workers * self.prefetch
        with ThreadPoolExecutor(self.workers, thread_name_prefix="batches") as pool:
            waiting = deque(pool.submit(self.batch, self.start + i) for i in range(ahead))
            try:
                for step in count(self.start + ahead):
                    batch = waiting.popleft().result()
                    waiting.append(pool.submit(self.batch, step))
                    yield batch
            finally:
                for future in waiting:
                    future.cancel()
                cv2.setNumThreads(cv_threads)
