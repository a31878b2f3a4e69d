"""Python's collector rests while a program starts, and runs again afterwards."""

import gc
import subprocess
import sys

import pytest

from facewarp.system.start import pause_collection, quick_imports, resume_collection


@pytest.fixture
def collector():
    yield
    gc.enable()
    gc.unfreeze()


def test_the_collector_is_paused_and_resumed(collector):
    pause_collection()
    assert not gc.isenabled()
    resume_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_collector_that_runs_is_left_alone(collector):
    before = gc.get_freeze_count()
    resume_collection()
    assert gc.get_freeze_count() == before


def test_imports_go_without_the_collector_and_without_a_package(collector, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with quick_imports("colorsys", "json"):
        assert not gc.isenabled()
        with pytest.raises(ModuleNotFoundError):
            import colorsys
        import json  # it was there before
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0  # it was not, before
    import colorsys

    assert json.loads("[1]") == [round(colorsys.rgb_to_hsv(1, 1, 1)[2])]


def test_a_collector_that_is_paused_stays_so(collector):
    pause_collection()
    with quick_imports():
        assert not gc.isenabled()
    assert not gc.isenabled()
    resume_collection()
    before = gc.get_freeze_count()
    kept = [[] for _ in range(1000)]
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept) // 2  # others may have been freed


def test_a_program_that_read_plates_ends_without_complaints():
    pytest.importorskip("OpenImageIO")
    code = """
from facewarp.cli import app
from facewarp.system.start import resume_collection

def command(**options):
    import OpenImageIO
    resume_collection()

app.app = command
app.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(("code", "left"), [(130, True), (1, True), (0, False)])
def test_a_program_that_failed_waits_for_no_thread_in_the_background(code, left):
    script = f"""
import atexit, threading, time
from facewarp.cli import app as cli
def interrupted(prog_name):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    raise SystemExit({code})
cli.app = interrupted
atexit.register(print, "the interpreter ends")
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert ("the interpreter ends" not in done.stdout) == left


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="an interrupted join forgets no thread")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
def test_an_interrupted_program_leaves_a_thread_that_python_has_forgotten():
    script = """
import atexit, os, signal, sys, threading, time
from facewarp.cli import app as cli
main = threading.get_ident()
def interrupt():
    while sys._current_frames()[main].f_code.co_name != "_wait_for_tstate_lock":
        time.sleep(0.01)
    time.sleep(0.2)  # from there to where it waits
    os.kill(os.getpid(), signal.SIGINT)
def interrupted(prog_name):
    thread = threading.Thread(target=time.sleep, args=(600,))
    thread.start()
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        thread.join()
    except KeyboardInterrupt:
        raise SystemExit(130)
signal.signal(signal.SIGINT, signal.default_int_handler)
cli.app = interrupted
atexit.register(print, "the interpreter ends, and takes the thread with it")
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
