"""Many small pieces of work in threads beside one another, rather than each shared out."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import length_hint
from typing import Final, TypeVar

import torch

_MOST: Final = 4  # pieces at a time: each holds memory
Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Yield what a function makes of every item, in order, several at a time.

    Torch's threads share out one operation after the other and wait for one another after each,
    which small ones do not repay. Here each thread works on items of its own, with its share of
    torch's threads.

    Args:
        work: called in threads; what it does in numpy, SciPy and torch runs beside the others'.
        items: of the work; all of them are held until the first is done.
    """
    threads = torch.get_num_threads()
    workers = min(threads, _MOST, max(length_hint(items, _MOST), 1))
    if workers == 1:
        yield from map(work, items)
        return
    each = threads // workers
    pool = ThreadPoolExecutor(workers, "beside", torch.set_num_threads, (each,))
    with _threads(each):
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
