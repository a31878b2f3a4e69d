"""Pieces of work in threads beside one another."""

import threading
import time

import pytest
import torch

from facewarp.cardiac.side_by_side import side_by_side


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_with_the_threads_shared_out() -> None:
    together = threading.Barrier(4, timeout=20)

    def work(item: int) -> tuple[int, int]:
        together.wait()  # passes only where four work at a time
        return item, torch.get_num_threads()

    assert list(side_by_side(work, range(8))) == [(item, 1) for item in range(8)]
    assert torch.get_num_threads() == 4


def test_a_failure_is_raised_and_no_further_piece_begun() -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError(item)
        time.sleep(0.05)  # or all were done before the caller has seen the failure

    with pytest.raises(ValueError, match="0"):
        list(side_by_side(work, range(1000)))
    assert len(begun) < 1000
    assert torch.get_num_threads() == 4


def test_one_thread_works_in_the_callers() -> None:
    torch.set_num_threads(1)
    found = set(side_by_side(lambda _: threading.get_ident(), range(3)))
    assert found == {threading.get_ident()}


def test_a_single_piece_keeps_all_threads() -> None:
    assert list(side_by_side(lambda _: torch.get_num_threads(), [None])) == [4]
    assert list(side_by_side(lambda _: torch.get_num_threads(), [None] * 2)) == [2, 2]
