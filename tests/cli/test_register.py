import json
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.errors import FacewarpError
from facewarp.face.crop import Crop
from facewarp.media.sources import open_source

PORTRAIT = Path(__file__).parents[2] / "assets" / "demo" / "portrait.png"


@pytest.fixture
def pictures(tmp_path):
    """The portrait, and the portrait half as large again, moved."""
    with open_source(PORTRAIT) as source:
        image = next(iter(source)).image[..., ::-1]
    matrix = np.array([[1.5, 0.0, -60.0], [0.0, 1.5, -30.0]])
    moved = cv2.warpAffine(image, matrix, (640, 560), flags=cv2.INTER_CUBIC)
    paths = tmp_path / "still.png", tmp_path / "moved.jpg"
    for path, picture in zip(paths, (image, moved), strict=True):
        cv2.imwrite(str(path), picture)
    return *paths, matrix


def run(*words):
    return CliRunner().invoke(app, ["register", *map(str, words)])


def test_a_face_is_registered_with_itself_moved(pictures, tmp_path):
    """The field and the crops' places together must say where the picture was moved."""
    fixed, moving, matrix = pictures
    out = tmp_path / "pair"
    done = run(fixed, moving, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["parts_dice"] > 0.9
    assert result["folds_percent"] < 0.1
    assert sorted(p.name for p in out.iterdir()) == ["field.npz", "sheet.png", "warped.png"]
    with np.load(out / "field.npz", allow_pickle=False) as data:
        assert data["field"].shape == (2, *data["grid"])
        at_fixed, at_moving = Crop(data["fixed_to_picture"]), Crop(data["moving_to_picture"])
        x, y = np.meshgrid(np.arange(80, 180, 10), np.arange(90, 230, 10))  # on the face
        points = np.stack([x.ravel(), y.ravel()], -1)
        carried = points + data["field"][:, points[:, 1], points[:, 0]].T
    expected = at_fixed.to_frame(points) @ matrix[:, :2].T + matrix[:, 2]
    error = np.linalg.norm(at_moving.to_frame(carried) - expected, axis=1) / at_moving.scale
    assert np.median(error) < 2.0  # px of the crop
    with open_source(out / "warped.png") as source:
        assert next(iter(source)).image.shape == (320, 260, 3)


def test_of_a_clip_the_first_image_is_registered_and_it_says_so(pictures, tmp_path):
    fixed, moving, _ = pictures
    clip = tmp_path / "clip.png"
    with Image.open(fixed) as first, Image.open(moving) as second:
        first.save(clip, save_all=True, append_images=[second.resize(first.size)])
    done = run(clip, fixed, "--out", tmp_path / "pair")
    assert done.exit_code == 0, done.output
    assert done.stderr == f"warning: {clip}: of this animation the first image is registered\n"


def test_what_cannot_be_registered_is_named_and_nothing_is_written(pictures, tmp_path):
    fixed, moving, _ = pictures
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    text = tmp_path / "text.png"
    text.write_text("no picture")
    out = tmp_path / "out"
    for words, name in (
        ((fixed, blank), "blank.png"),
        ((blank, moving), "blank.png"),
        ((fixed, text), "text.png"),
        ((fixed, tmp_path / "none.png"), "none.png"),
    ):
        done = run(*words, "--out", out)
        assert done.exit_code == 1
        assert name in done.output
        assert not out.exists()


def test_the_folder_is_not_an_existing_file(pictures, tmp_path):
    fixed, moving, _ = pictures
    (tmp_path / "file").write_text("in the way")
    done = run(fixed, moving, "--out", tmp_path / "file")
    assert done.exit_code == 1
    assert "error:" in done.output


def test_volumes_of_other_formats_are_refused_with_the_way_to_convert_them(tmp_path):
    paths = tmp_path / "ed.nrrd", tmp_path / "es.nrrd"
    for path in paths:
        path.write_bytes(b"NRRD0004\n")
    done = run(*paths, "--out", tmp_path / "pair")
    assert done.exit_code == 1
    assert "SimpleITK.ReadImage('ed.nrrd')" in done.output.replace("\n", "")
    assert not (tmp_path / "pair").exists()


def test_labels_in_place_of_a_volume_are_told_as_such(tmp_path):
    path = tmp_path / "ed_gt.nii.gz"
    labels = np.zeros((24, 24, 6), np.uint8)
    labels[8:16, 8:16], labels[10:14, 10:14] = 2, 3
    nib.save(nib.Nifti1Image(labels, np.diag([1.5, 1.5, 8.0, 1.0])), path)
    done = run(path, path, "--out", tmp_path / "pair")
    assert done.exit_code == 1
    assert "labels, not a scan: the voxels hold 0, 2, 3" in " ".join(done.output.split())
    assert not (tmp_path / "pair").exists()


def test_what_cine_refuses_and_says_of_a_picture_register_does_too(tmp_path, monkeypatch):
    """Fill values around the heart went to the network as tissue; CT was registered."""
    rng = np.random.default_rng(2)
    scan = rng.gamma(2, 150, (24, 24, 6))
    kinds = {"filled": scan, "ct": scan / 5 - 1000, "phase": scan}
    kinds["filled"] = np.where(np.indices(scan.shape)[0] < 5, -32768, scan)
    for name, data in kinds.items():
        affine = np.diag([1.5, 1.5, 8.0, 1.0])
        nib.save(nib.Nifti1Image(data.astype(np.float32), affine), tmp_path / f"{name}.nii.gz")
    told = {"Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "P"]}
    (tmp_path / "phase.json").write_text(json.dumps(told))
    seen = []

    def found(model, fixed, moving, *, refined):
        seen.extend([fixed, moving])
        raise FacewarpError("enough")

    monkeypatch.setattr("facewarp.cardiac.pair_registration.register_volumes", found)
    monkeypatch.setattr(
        "facewarp.cardiac.motion.orientation.with_slices_seen", lambda model, volume: volume
    )
    for name, said in (("ct", "looks like CT"), ("phase", "this is a phase picture")):
        done = run(tmp_path / "filled.nii.gz", tmp_path / f"{name}.nii.gz", "--out", tmp_path / "p")
        assert said in " ".join(done.output.split())
    run(tmp_path / "filled.nii.gz", tmp_path / "filled.nii.gz", "--out", tmp_path / "pair")
    assert [one.data.min() >= 0 for one in seen] == [True, True]
    assert "hold -32768, far from all others" in seen[0].warnings[0]
