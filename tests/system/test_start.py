"""Python's collector rests while a program starts, and runs again afterwards."""

import gc
import inspect
import subprocess
import sys

import pytest

from facewarp.system.start import (
    _told_by_frames,
    pause_collection,
    quick_imports,
    resume_collection,
)


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


QUICK = """
import sys
from facewarp.system.start import claim_process, import_put_off, quick_imports
{claim}
with quick_imports():
    import torch
    {meanwhile}
print("torch._refs" in sys.modules)
{then}
print("torch._refs" in sys.modules)
"""


@pytest.mark.parametrize(
    ("claim", "meanwhile", "then", "there"),
    [
        ("claim_process()", "", "torch.ones(3).sum()", "no"),
        ("claim_process()", "", "import_put_off()", "later"),
        ("claim_process()", "", "from torch._meta_registrations import device_hint", "later"),
        ("claim_process()", "from torch import _meta_registrations as m", "m.device_hint", "later"),
        ("claim_process()", "sys.modules['torch._meta_registrations'].device_hint", "", "yes"),
        ("", "", "", "yes"),
    ],
)
def test_what_torch_traces_with_is_put_off_in_a_process_of_ones_own(claim, meanwhile, then, there):
    code = QUICK.format(claim=claim, meanwhile=meanwhile, then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = {"no": ["False", "False"], "later": ["False", "True"], "yes": ["True", "True"]}
    assert done.stdout.split() == told[there]


LIGHT = """
import inspect, os, sys
from facewarp.system.start import claim_process, quick_imports
claim_process()
of_modules, looked, realpath = inspect.getmodule, [], os.path.realpath
os.path.realpath = lambda *given, **more: looked.append(given) or realpath(*given, **more)
with quick_imports():
    import torch
print(len(looked) < 300, inspect.getmodule is of_modules)
"""


def test_torch_does_not_look_for_every_modules_file_in_a_process_of_ones_own():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_a_frames_module_is_the_one_whose_code_it_runs():
    here = _told_by_frames(inspect.getmodule)
    assert here(sys._getframe()) is sys.modules[__name__]
    assert here(inspect.getmodule) is inspect
    assert here(sys._getframe(), __file__) is inspect.getmodule(sys._getframe())


TRACED = """
from facewarp.system.start import claim_process, quick_imports
claim_process()
with quick_imports():
    import torch
from torch import nn
from facewarp.core.config import FeatureConfig, ModelConfig
from facewarp.core.engines.graphs import exported_program, lean
from facewarp.core.networks.guided_registration import GuidedRegistration
shape = (8, 8)
features = FeatureConfig((4, 6), (2,), (4,), 0)
config = ModelConfig(
    classes=("background", "a"),
    grid_shape=shape,
    input_shape=shape,
    field_shape=shape,
    features=features,
    steps=(),
)
net = lean(GuidedRegistration(config))
program, image = exported_program(net, "parts"), torch.rand(2, 1, *shape)
print(torch.allclose(program.module()(image), net.features(image).softmax(1), atol=1e-5))
"""


def test_networks_are_traced_after_a_quick_start():
    done = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["True"]), done.stderr


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


@pytest.mark.parametrize(("code", "quick"), [(0, True), (1, False)], ids=["well", "with an error"])
def test_a_good_end_takes_nothing_apart_but_does_what_others_asked_for(code, quick):
    script = f"""
import atexit, os, threading, time
from facewarp.cli import app as cli
from facewarp.system.start import end_quickly
class Long:
    def __del__(self, write=os.write):  # what it needs may be taken apart before it
        write(1, b" taken apart")
def command(prog_name):
    global kept
    end_quickly()
    atexit.register(print, "asked for", end=" ")
    threading.Thread(target=lambda: (time.sleep(0.1), print("waited for", end=" "))).start()
    kept = Long()
    raise SystemExit({code})
cli.app = command
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.split()[:4] == ["waited", "for", "asked", "for"]
    assert ("taken apart" not in done.stdout) == quick
