"""The page of a result: what is in it, that it needs nothing else, and how a browser shows it."""

import base64
import dataclasses
import pickle
import re
import shutil
import subprocess

import numpy as np
import pytest

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.io.placement import PlacementDoubt, shear_warning
from facewarp.cardiac.motion.confidence import HeartConfidence
from facewarp.cardiac.plots.svg import Curve, bulls_eye, line_chart
from facewarp.cardiac.report.page import report_page, write_report
from facewarp.cardiac.report.quality_flags import (
    flags_of_the_result,
    quality_flags,
    worst_verdict,
)
from facewarp.errors import FacewarpError
from facewarp.version import __version__

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
QUIET = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
in_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver (chromedriver)"
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(beating, knowing, plain, write_nifti, tmp_path_factory):
    path = tmp_path_factory.mktemp("cine") / "<anna> & co_4d.nii.gz"
    write_nifti(path, 100 * beating.images, plain @ beating.to_heart, time_step=0.15)
    return analyse_cine(path, knowing)


@pytest.fixture(scope="module")
def page(result):
    return report_page(result)


@pytest.fixture(scope="module")
def file(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(result, path)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    return path


def test_all_that_a_reader_needs_is_there(page, result):
    text = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)
    for words in ("Research use, not for diagnosis", "Volumes", "Segments", "Contours", "Cine",
                  "Motion of the wall", "Quality", "Petersen", "Kawel-Boehm", "loop closure",
                  "agreement", "confidence", "coverage", "folds", "mid inferolateral"):  # fmt: skip
        assert words in text, words
    assert f"{result.indices.lv.ef_percent:.1f}" in text
    assert f"facewarp {__version__}" in text
    assert result.model_sha256[:16] in text
    assert "&lt;anna&gt; &amp; co" in text
    assert "<anna>" not in text
    whole = result.strain.region("global")
    assert f"{whole.circumferential_engineering.min():.1f}" in text


def test_the_page_says_how_volumes_were_told(result):
    seen = dataclasses.replace(result, labels_by="model", parts_sha256="0" * 64)
    carried = dataclasses.replace(seen, labels_by="labels.nii.gz")
    coarse = dataclasses.replace(seen, parts_sha256="")
    said = ["by counting voxels" in report_page(one) for one in (seen, carried, coarse)]
    assert said == [False, True, True]


def test_the_page_asks_for_nothing(page):
    """Every address in it holds its picture or is a place in the page."""
    addresses = re.findall(r"(?:src|href)=[\"']([^\"']+)", page)
    assert len(addresses) >= 5
    assert all(address.startswith(("data:image/webp;base64,", "#")) for address in addresses)
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.S)
    assert "url(" not in page
    for address in addresses:
        if address.startswith("data:"):
            assert base64.b64decode(address.partition(",")[2])[8:12] == b"WEBP"


def test_a_page_that_cannot_be_written_leaves_nothing(result, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FacewarpError):
        write_report(result, tmp_path / "file" / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_flags_of_a_good_result_and_of_odd_ones(result):
    good = {flag.name: flag.verdict for flag in quality_flags(result)}
    assert good["agreement"] == good["folds"] == good["plausible values"] == "ok"
    assert good["geometry"] == good["coverage"] == "ok"
    quality = dataclasses.replace(
        result.quality,
        wall_loop_p95_mm=9.0,
        wall_round_trip_mm=2.5,
        wall_folds_percent=0.5,
        open_cavity_percent=30.0,
        certainty=(0.99, 0.6),
    )
    volumes = result.volumes_ml.copy()
    volumes[result.es, 2] *= 0.5
    lv = dataclasses.replace(result.indices.lv, ef_percent=95.0)
    said = PlacementDoubt("the affine says voxels of 1 mm, pixdim 2 mm: pixdim is used")
    volume = dataclasses.replace(result.cine.volume, warnings=(said,))
    odd = quality_flags(
        dataclasses.replace(
            result,
            quality=quality,
            volumes_ml=volumes,
            indices=dataclasses.replace(result.indices, lv=lv),
            cine=dataclasses.replace(result.cine, volume=volume),
        )
    )
    found = {flag.name: flag for flag in odd}
    assert found["loop closure"].verdict == "bad"
    assert found["folds"].verdict == "look"
    assert found["contours"].verdict == "bad"
    assert found["confidence"].verdict == "bad"
    assert found["volume of the wall"].verdict == "bad"
    assert found["plausible values"].value == "LV EF 95 %"
    assert found["geometry"].value == said
    assert worst_verdict(odd) == "bad"


def test_only_sentences_on_where_slices_lie_make_the_geometry_doubtful(result):
    """The words "base", "apart" and "axes" are in others, too."""
    elsewhere = (
        "slice 1 from the base may show the atrium at end-systole (phase 9)",
        "phases are 30.0 to 40.0 ms apart, not the same in every slice: 35.0 ms is used",
    )
    flags = quality_flags(dataclasses.replace(result, warnings=elsewhere))
    assert {flag.name: flag.verdict for flag in flags}["geometry"] == "ok"
    sheared = np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1]], float)
    said = pickle.loads(pickle.dumps(shear_warning(sheared, 1)))  # as workers send it
    flags = quality_flags(dataclasses.replace(result, warnings=(*elsewhere, said)))
    found = {flag.name: flag for flag in flags}["geometry"]
    assert (found.verdict, found.value) == ("look", str(said))


@pytest.mark.parametrize(
    ("loop", "once", "verdict"),
    [(2.0, 0.3, "ok"), (13.0, 0.5, "look"), (13.0, 1.9, "bad"), (2.0, 1.9, "bad")],
)
def test_a_loop_is_bad_by_one_phase_and_not_by_their_number(result, loop, once, verdict):
    quality = dataclasses.replace(result.quality, wall_loop_p95_mm=loop, wall_round_trip_mm=once)
    found = quality_flags(dataclasses.replace(result, quality=quality))
    assert {flag.name: flag.verdict for flag in found}["loop closure"] == verdict


def test_expected_dice_and_ef_error_are_flags_where_calibrated(result):
    assert result.confidence is None
    assert "ejection fraction" not in {flag.name for flag in quality_flags(result)}
    for dice, error, verdicts in ((0.92, 1.5, ("ok", "ok")), (0.6, 12.0, ("bad", "bad"))):
        told = HeartConfidence((dice, dice, dice), error)
        flags = quality_flags(dataclasses.replace(result, confidence=told))
        found = {flag.name: flag for flag in flags}
        assert (found["confidence"].verdict, found["ejection fraction"].verdict) == verdicts
        assert f"Dice of {100 * dice:.0f} % expected" in found["confidence"].value
        assert f"{error:.1f} points" in found["ejection fraction"].value
        names = {flag.name for flag in flags_of_the_result(flags)}
        assert ("confidence" in names) is (verdicts[0] != "ok")


@pytest.mark.parametrize(("apart_mm", "verdict"), [(10.0, "ok"), (15.0, "look"), (20.0, "bad")])
def test_slices_far_apart_are_told(result, apart_mm, verdict):
    """The networks never saw them, and are as sure as ever."""
    volume = result.cine.volume
    affine = volume.affine.copy()
    affine[:3, 2] *= apart_mm / np.linalg.norm(affine[:3, 2])
    cine = dataclasses.replace(result.cine, volume=dataclasses.replace(volume, affine=affine))
    flags = {flag.name: flag for flag in quality_flags(dataclasses.replace(result, cine=cine))}
    assert flags["slice spacing"].verdict == verdict
    assert flags["slice spacing"].value == f"{apart_mm:.1f} mm"


def test_flags_of_the_file_are_not_of_the_result(result):
    said = PlacementDoubt("the affine says voxels of 1 mm, pixdim 2 mm: pixdim is used")
    volume = dataclasses.replace(result.cine.volume, warnings=(said,))
    cine = dataclasses.replace(result.cine, volume=volume)
    flags = quality_flags(dataclasses.replace(result, cine=cine))
    assert worst_verdict(flags) == "look"
    before = flags_of_the_result(quality_flags(result))
    assert [f.name for f in flags_of_the_result(flags)] == [f.name for f in before]


def test_a_bulls_eye_shows_what_there_is():
    svg = bulls_eye({1: -20.0, 14: -10.0}, "strain", "%", (-30, 0))
    assert svg.count("<path") == 16
    assert svg.count("#e6e6e6") == 14
    assert ">-20<" in svg
    assert ">-10<" in svg


def test_curves_below_zero_stay_in_the_chart():
    chart = line_chart(
        [0, 1, 2], [Curve("a & b", [0.0, -20.0, -5.0], "#112233")], "x", "y", {1: "ES"}
    )
    assert "a &amp; b" in chart
    path = re.search(r'd="M([^"]*)" fill="none" stroke="#112233"', chart)
    points = np.array([p.split() for p in path[1].split("L")], dtype=float)
    assert points[1, 1] > points[2, 1] > points[0, 1]
    assert points[:, 1].max() < 250 - 38


@in_browser
def test_a_browser_shows_it_and_plays_the_cine(file):
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    options = Options()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*QUIET, "--window-size=1100,1400"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.get(file.as_uri())
        cine = driver.find_element(By.ID, "cine")
        first = cine.get_attribute("src")
        WebDriverWait(driver, 60).until(lambda _: cine.get_attribute("src") != first)
        driver.find_element(By.ID, "play").click()
        assert driver.find_element(By.ID, "play").text == "Play"
        script = "const s = arguments[0]; s.value = 4; s.dispatchEvent(new Event('input'));"
        driver.execute_script(script, driver.find_element(By.ID, "phase"))
        assert driver.find_element(By.ID, "shown").text == "phase 5 of 6"
        shown = "return [...document.images].map((i) => i.naturalWidth);"
        assert all(width > 100 for width in driver.execute_script(shown))
        overflow = "return document.documentElement.scrollWidth - innerWidth;"
        assert driver.execute_script(overflow) <= 0
        driver.set_window_size(420, 900)
        assert driver.execute_script(overflow) <= 0
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        asked = "return performance.getEntriesByType('resource').map((r) => r.name);"
        assert all(name.startswith("data:") for name in driver.execute_script(asked))
    finally:
        driver.quit()


@in_browser
def test_it_prints_on_a4(file, tmp_path):
    path = tmp_path / "report.pdf"
    subprocess.run(
        [CHROMIUM, *QUIET, "--no-pdf-header-footer", f"--print-to-pdf={path}", file.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    found = path.read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", found)
    assert 2 <= len(boxes) <= 4
    width, height = (float(number) for number in boxes[0])
    assert width == pytest.approx(595, abs=2)
    assert height == pytest.approx(842, abs=2)
