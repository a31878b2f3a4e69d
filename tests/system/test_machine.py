"""Name and limit the machine."""

import os
import threading
from pathlib import Path

import pytest

from facewarp.system import machine
from facewarp.system.machine import has_bfloat16, keep_scheduling, limit_blas


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def test_blas_is_kept_to_one_thread():
    limit_blas()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_what_the_user_said_of_threads_holds(monkeypatch, name):
    monkeypatch.setenv(name, "3")
    before = dict(os.environ)
    limit_blas()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 pat", True),
        ("flags\t\t: fpu amx_bf16", True),
        ("flags\t\t: fpu avx2 avx512f", False),
        ("Features\t: fp asimd", False),
        ("", False),
    ],
)
def test_bfloat16_is_what_the_processor_lists(flags, has, monkeypatch):
    text = f"processor\t: 0\n{flags}\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: text)
    assert has_bfloat16() is has


def test_where_nothing_is_listed_there_is_no_bfloat16(monkeypatch):
    def fail(self, encoding):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", fail)
    assert has_bfloat16() is False


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="Linux alone has such classes")
def test_threads_are_scheduled_as_before_whatever_a_library_does():
    def change():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    def of_all():
        return {os.sched_getscheduler(int(name)) for name in os.listdir("/proc/self/task")}

    def begin(*, changed: bool):
        ready, over = threading.Event(), threading.Event()

        def run():
            if changed:
                change()
            ready.set()
            over.wait(60)

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(60)
        ended.append((over, thread))
        return thread.native_id

    ended: list[tuple[threading.Event, threading.Thread]] = []
    theirs = begin(changed=True)  # of a caller who wants it so
    try:
        with keep_scheduling():
            change()
            begin(changed=False)  # inherits it
            assert os.sched_getscheduler(0) == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert os.sched_getscheduler(ended[1][1].native_id) == os.SCHED_OTHER
        assert os.sched_getscheduler(theirs) == os.SCHED_BATCH
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for over, thread in ended:
            over.set()
            thread.join()
    assert of_all() == {os.SCHED_OTHER}


def test_cores_are_counted_once(monkeypatch):
    """An engine asks at each call, and the system reads a file for it."""
    machine._all_cores.cache_clear()
    asked = []
    monkeypatch.setattr("os.cpu_count", lambda: asked.append(1) or 6)
    try:
        assert {machine.cores() for _ in range(3)} == {machine.limited_cores() or 6}
    finally:
        machine._all_cores.cache_clear()
    assert len(asked) <= 1
