"""The cache of networks does not grow without bound, and nobody who reads it is disturbed."""

import os
import threading
import time

import pytest

from facewarp.core import network_cache
from facewarp.core.network_cache import entries, mark_used, prune, size_of

DAY = 86_400.0
OWN = "openvino-2026.4.1"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "facewarp"


def keep(cache, path, days=0.0, size=10):
    """A file in the cache, used so many days ago."""
    file = cache / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (time.time() - days * DAY,) * 2)
    return file


def left(cache):
    return sorted(str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file())


def test_what_was_not_used_for_a_month_goes_and_the_rest_stays(cache):
    keep(cache, f"{OWN}/compiled/new.model", 29)
    keep(cache, f"{OWN}/compiled/old.model", 31)
    keep(cache, f"{OWN}/weights-code/parts.xml", 40)
    keep(cache, f"{OWN}/weights-code/both_ways.xml", 2)  # the folder is used as one
    keep(cache, f"{OWN}/others-code/parts.xml", 40)
    keep(cache, "onnx/weights-code/parts.onnx", 40)
    keep(cache, "engines.json", 400)
    keep(cache, "page-runtime-00/ort.mjs", 400)
    prune(cache, OWN)
    assert left(cache) == [
        "engines.json",
        f"{OWN}/compiled/new.model",
        f"{OWN}/weights-code/both_ways.xml",
        f"{OWN}/weights-code/parts.xml",
        "page-runtime-00/ort.mjs",
    ]


def test_another_version_goes_after_a_week_with_its_folder(cache):
    keep(cache, "openvino-2025.3.0/compiled/a.model", 8)
    keep(cache, "openvino-2025.3.0/weights-code/parts.xml", 8)
    keep(cache, "openvino-2026.0.0/compiled/a.model", 6)
    keep(cache, f"{OWN}/compiled/a.model", 8)
    prune(cache, OWN)
    assert left(cache) == ["openvino-2026.0.0/compiled/a.model", f"{OWN}/compiled/a.model"]
    assert not (cache / "openvino-2025.3.0").exists()


def test_without_openvino_no_version_counts_as_another(cache):
    keep(cache, "openvino-2025.3.0/compiled/a.model", 8)
    prune(cache)
    assert left(cache) == ["openvino-2025.3.0/compiled/a.model"]


def test_beyond_a_size_compiled_models_go_that_were_used_longest_ago(cache, monkeypatch):
    monkeypatch.setattr(network_cache, "MOST_BYTES", 25)
    for days in (1, 2, 3, 4):
        keep(cache, f"{OWN}/compiled/{days}.model", days)
    keep(cache, f"{OWN}/weights-code/parts.xml", 20, size=100)  # converted once more by torch only
    prune(cache, OWN)
    assert left(cache) == [
        f"{OWN}/compiled/1.model",
        f"{OWN}/compiled/2.model",
        f"{OWN}/weights-code/parts.xml",
    ]


def test_what_another_process_uses_now_stays_beyond_the_size(cache, monkeypatch):
    monkeypatch.setattr(network_cache, "MOST_BYTES", 5)
    keep(cache, f"{OWN}/compiled/now.model", 0.01)
    keep(cache, f"{OWN}/compiled/before.model", 0.1)
    prune(cache, OWN)
    assert left(cache) == [f"{OWN}/compiled/now.model"]


def test_an_entry_that_is_used_is_young_again(cache):
    file = keep(cache, f"{OWN}/compiled/a.model", 31)
    mark_used(file)
    prune(cache, OWN)
    assert file.is_file()
    mark_used(cache / "gone")


def test_files_that_are_being_written_are_left_alone(cache):
    keep(cache, f"{OWN}/compiled/.a.0123-45-67.partial.model", 31)
    keep(cache, f"{OWN}/compiled/.removed-01234567", 0)  # of a process that was killed
    prune(cache, OWN)
    assert left(cache) == [f"{OWN}/compiled/.a.0123-45-67.partial.model"]


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps open files")
def test_who_has_opened_an_entry_reads_it_to_its_end(cache):
    file = keep(cache, f"{OWN}/compiled/a.model", 31, size=1000)
    with file.open("rb") as opened:
        assert len(opened.read(10)) == 10
        prune(cache, OWN)
        assert not file.exists()
        assert len(opened.read()) == 990


def test_several_may_prune_at_once(cache):
    for number in range(200):
        keep(cache, f"{OWN}/compiled/{number}.model", 31)
        keep(cache, f"{OWN}/weights-{number}/parts.xml", 31)
    errors = []

    def once():
        try:
            prune(cache, OWN)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert left(cache) == []


def test_the_size_is_that_of_all_files(cache):
    keep(cache, f"{OWN}/weights-code/parts.xml", size=10)
    keep(cache, f"{OWN}/weights-code/parts.bin", size=90)
    keep(cache, f"{OWN}/compiled/a.model", size=7)
    (cache / "link").symlink_to(cache / OWN / "compiled" / "a.model")
    assert size_of(cache) == 107
    assert sorted(entry.nbytes for entry in entries(cache)) == [7, 100]
    assert size_of(cache / "nothing") == 0
    assert entries(cache / "nothing") == []
