import csv
import errno
import json
import threading
import time
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.parts import PART_COLORS, HeartPart
from facewarp.cardiac.plots.short_axis_view import HeartView
from facewarp.cardiac.plots.volume_chart import Chart, Line
from facewarp.cardiac.report.result_files import ResultFiles
from facewarp.cardiac.report.result_folder import result_writer, write_result
from facewarp.core.fields import warp
from facewarp.errors import FacewarpError
from facewarp.system.atomic_folder import OutputFolder
from facewarp.version import __version__


@pytest.fixture(scope="module")
def result(beating, knowing, plain, oblique, write_nifti, tmp_path_factory):
    """A cine with slices along the file's first axis, and oblique: nothing to rely on."""
    affine = oblique(25.0) @ plain @ beating.to_heart
    path = tmp_path_factory.mktemp("cine") / "anna_4d.nii.gz"
    image = beating.images.transpose(0, 3, 2, 1)  # T, W, H, D: x of the file is the stack
    write_nifti(path, 100 * image, affine[:, [2, 1, 0, 3]], time_step=0.15)
    return analyse_cine(path, knowing)


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "anna"
    told = []
    write_result(result, out, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    return out


@pytest.mark.slow
def test_everything_is_there(result, folder):
    others = [f"{frame:02}" for frame in range(2, 7)]
    expected = {f"field_ed_to_{n}.nii.gz" for n in others}
    expected |= {f"field_{n}_to_ed.nii.gz" for n in others}
    expected |= {"labels_4d.nii.gz", "jacobian_4d.nii.gz", "curves.csv", "indices.json"}
    expected |= {"sheet.png", "cine.gif", "strain.csv", "report.html"}
    assert {p.name for p in folder.iterdir()} == expected
    assert [p.name for p in folder.parent.iterdir()] == ["anna"]


@pytest.mark.slow
def test_labels_lie_on_the_files_own_grid(result, folder):
    source, labels = nib.load(result.cine.path), nib.load(folder / "labels_4d.nii.gz")
    assert labels.shape == source.shape
    np.testing.assert_array_equal(labels.affine, source.affine)
    assert labels.header.get_zooms() == source.header.get_zooms()
    assert labels.header.get_xyzt_units() == source.header.get_xyzt_units()
    data = np.asarray(labels.dataobj)
    voxel_ml = abs(np.linalg.det(source.affine[:3, :3])) / 1000
    for phase in range(6):
        found = np.bincount(data[..., phase].ravel(), minlength=4) * voxel_ml
        np.testing.assert_allclose(found[1:], result.volumes_ml[phase, 1:], rtol=1e-6)


@pytest.mark.slow
def test_simpleitk_warps_with_the_fields_as_we_do(result, folder):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    cine = sitk.ReadImage(str(result.cine.path))
    volume, es = result.cine.volume, result.es
    for fixed, moving, to_ed, name in (
        (0, es, False, f"field_ed_to_{es + 1:02}"),
        (es, 0, True, f"field_{es + 1:02}_to_ed"),
    ):
        vectors = sitk.ReadImage(str(folder / f"{name}.nii.gz"), sitk.sitkVectorFloat64)
        transform = sitk.DisplacementFieldTransform(vectors)
        warped = sitk.Resample(
            cine[:, :, :, moving], cine[:, :, :, fixed], transform, sitk.sitkLinear, 0.0
        )
        theirs = sitk.GetArrayFromImage(warped)
        image = torch.from_numpy(volume.data[moving])[None, None]
        field = torch.from_numpy(result.field(es, to_ed=to_ed))[None]
        ours = volume.in_file_order(warp(image, field)[0, 0].numpy())
        inner = (slice(10, -10), slice(10, -10), slice(2, -2))
        assert np.abs(theirs - ours)[inner].max() < 1.0  # of 100
        before = sitk.GetArrayFromImage(cine[:, :, :, moving])
        target = sitk.GetArrayFromImage(cine[:, :, :, fixed])
        assert np.abs(theirs - target).mean() < 0.5 * np.abs(before - target).mean()


@pytest.mark.slow
def test_the_jacobian_map_is_one_at_rest_and_small_in_the_cavity(result, folder):
    determinant = np.asarray(nib.load(folder / "jacobian_4d.nii.gz").dataobj)
    assert (determinant[..., 0] == 1).all()
    cavity = result.cine.volume.in_file_order(result.labels[0] == HeartPart.LV).T
    assert determinant[..., result.es][cavity].mean() < 0.7


@pytest.mark.slow
def test_numbers_are_the_same_in_every_file(result, folder):
    found = json.loads((folder / "indices.json").read_text("utf-8"))
    assert found["patient"] == "anna"
    assert found["facewarp"] == __version__
    assert found["model"]["sha256"] == result.model_sha256
    assert (found["ed_frame"], found["es_frame"]) == (1, result.es + 1)
    lv = result.indices.lv
    assert found["lv"]["ef_percent"] == pytest.approx(lv.ef_percent, abs=1e-3)
    assert found["lv"]["co_l_min"] == pytest.approx(lv.co_l_min, abs=1e-3)
    assert found["heart_rate_bpm"] == pytest.approx(60 / 0.9, abs=1e-3)
    assert found["lv_mass_g"] > 0
    assert found["warnings"] == list(result.warnings)
    assert len(found["quality"]["agreement"]) == 6
    assert found["geometry"]["voxels"] == list(nib.load(result.cine.path).shape[:3])
    with open(folder / "curves.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["phase"] for row in rows] == list("123456")
    assert [float(row["time_s"]) for row in rows] == pytest.approx(np.arange(6) * 0.15)
    np.testing.assert_allclose(
        [float(row["lv_ml"]) for row in rows], result.volumes_ml[:, HeartPart.LV], atol=1e-3
    )
    assert [row["moment"] for row in rows].index("ES") == result.es
    assert float(rows[0]["lv_ml"]) == pytest.approx(found["lv"]["edv_ml"], abs=1e-3)


@pytest.mark.slow
def test_pictures_show_outlines(result, folder):
    sheet = np.asarray(Image.open(folder / "sheet.png").convert("RGB")).astype(int)
    movie = Image.open(folder / "cine.gif")
    assert movie.n_frames == 6
    assert movie.info["duration"] == 150
    assert movie.info["loop"] == 0
    frame = np.asarray(movie.convert("RGB")).astype(int)
    for picture in (sheet, frame):
        for color in PART_COLORS[1:].astype(int):
            near = (np.abs(picture - color).max(axis=-1) < 25).sum()
            assert near > 100, color


@pytest.mark.slow
def test_a_view_is_the_usual_one_however_the_file_lies(result, beating):
    """Lung above, right ventricle on the left, drawn where the labels are."""
    view = HeartView(result.cine.volume, result.labels, result.motion.grid.turn, 200)
    picture = view.picture(0, 2).astype(int)
    lv, rv = (
        np.argwhere(np.abs(picture - PART_COLORS[part].astype(int)).max(axis=-1) < 30).mean(axis=0)
        for part in (HeartPart.LV, HeartPart.RV)
    )
    assert rv[1] < lv[1] - 20
    assert view.picture(0, 2, outlines=False).std(axis=-1).max() == 0  # grey
    assert view.heart_slices[0] == 0


@pytest.mark.slow
def test_fields_and_movie_can_be_left_out_and_webm_is_a_video(result, tmp_path):
    write_result(result, tmp_path / "a", ResultFiles(fields=False, report=False, movie="webm"))
    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert names == {
        "labels_4d.nii.gz",
        "curves.csv",
        "strain.csv",
        "indices.json",
        "sheet.png",
        "cine.webm",
    }
    import av

    with av.open(str(tmp_path / "a/cine.webm")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 6
    write_result(
        result, tmp_path / "a", ResultFiles(fields=False, movie="none")
    )  # again, over the old one
    assert "cine.webm" not in {p.name for p in (tmp_path / "a").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "full"), (FacewarpError, "no space is left to write .*anna")),
        (KeyboardInterrupt(), (KeyboardInterrupt, None)),
    ],
)
def test_nothing_is_left_when_writing_fails(result, tmp_path, monkeypatch, error, told):
    kind, words = told

    def fail(*_args, **_more):
        raise error

    monkeypatch.setattr("facewarp.cardiac.report.result_folder.write_maps", fail)
    with pytest.raises(kind, match=words):
        write_result(result, tmp_path / "new" / "anna")
    assert not list(tmp_path.iterdir())
    old = tmp_path / "old" / "anna"
    old.mkdir(parents=True)
    (old / "indices.json").write_text("{}")
    with pytest.raises(kind, match=words):
        write_result(result, old)
    assert [p.name for p in old.iterdir()] == ["indices.json"]
    assert [p.name for p in old.parent.iterdir()] == ["anna"]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["all", "motion"])
def test_files_written_beside_the_analysis_are_the_same_bytes(result, folder, tmp_path, first):
    threads = torch.get_num_threads()
    with result_writer(tmp_path / "anna") as writer:
        if first == "all":
            writer.seen(result.seen)
        for phase in range(len(result.cine.frames))[::-1]:
            writer.moved(result.cine, result.motion, phase)
        writer.tracked(result.cine, result.motion)
        writer.finish(replace(result))  # nothing of it is computed yet
    seen = []
    for_later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    for_later.start()
    for_later.join()
    assert seen == [threads]
    assert bytes_of(tmp_path / "anna") == bytes_of(folder)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_fails_beside_the_analysis_ends_it_at_once_and_leaves_nothing(
    result, tmp_path, monkeypatch
):
    is_begun, may_end = threading.Event(), threading.Event()

    def fail(path, *_more):
        path.touch()
        is_begun.set()
        may_end.wait(20)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("facewarp.cardiac.report.result_folder.write_field_mm", fail)

    def analyse(writer):
        writer.moved(result.cine, result.motion, 1)
        assert is_begun.wait(20)
        may_end.set()
        for _ in range(10_000):  # an analysis that would go on
            writer.moved(result.cine, result.motion, 2)
            time.sleep(0.001)
        pytest.fail("it went on")

    with (
        pytest.raises(FacewarpError, match="no space is left to write"),
        result_writer(tmp_path / "anna") as writer,
    ):
        analyse(writer)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_waits_for_the_file_being_written_and_leaves_nothing(result, tmp_path, monkeypatch):
    done, is_begun = [], threading.Event()

    def slow(path, *_more):
        is_begun.set()
        time.sleep(0.1)
        path.touch()
        done.append(path)

    monkeypatch.setattr("facewarp.cardiac.report.result_folder.write_field_mm", slow)

    def interrupted(writer):
        for phase in range(1, 5):
            writer.moved(result.cine, result.motion, phase)
        assert is_begun.wait(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), result_writer(tmp_path / "anna") as writer:
        interrupted(writer)
    assert len(done) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "patient").mkdir()
    (tmp_path / "patient" / "scan.nii.gz").touch()
    with pytest.raises(FacewarpError, match="holds other things"):
        OutputFolder(tmp_path / "patient", "indices.json")
    (tmp_path / "file").touch()
    with pytest.raises(FacewarpError, match="no folder"):
        OutputFolder(tmp_path / "file", "indices.json")
    with (
        pytest.raises(FacewarpError, match="file, not a folder"),
        OutputFolder(tmp_path / "file" / "deeper", "indices.json"),
    ):
        pytest.fail("there is no such folder")


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "patient").mkdir()
    with OutputFolder(tmp_path / "patient", "mark") as place:
        (place / "mark").touch()
        assert not list((tmp_path / "patient").iterdir())
    assert [p.name for p in tmp_path.rglob("*")] == ["patient", "mark"]


def test_a_charts_curves_go_where_their_numbers_are():
    chart = Chart([1, 2, 3], [Line("up", [0.0, 50.0, 100.0], (200, 0, 0))], "x", "y", {2: "half"})
    picture = chart.draw(400, 240).astype(int)
    red = np.argwhere((picture[..., 0] > 150) & (picture[..., 1] < 90))
    red = red[red[:, 1] < chart.x(3, 400) + 2]
    top, bottom = chart.rows(240)
    assert red[red[:, 1].argmin(), 0] == pytest.approx(bottom, abs=4)
    assert red[:, 0].min() > top
    middle = red[np.abs(red[:, 1] - chart.x(2, 400)) < 2, 0].mean()
    assert middle == pytest.approx((red[:, 0].min() + red[:, 0].max()) / 2, abs=4)
