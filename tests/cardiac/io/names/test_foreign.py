"""Files of other formats are refused by what they are, with a next step that works."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fixtures.dicom_scans import numbered
from nibabel.externals.netcdf import netcdf_file

from facewarp.cardiac.cohort.discovery import discover
from facewarp.cardiac.io.label_reader import read_labels
from facewarp.cardiac.io.names.foreign import first_way_in, way_in
from facewarp.cardiac.io.patient import open_cine
from facewarp.errors import FacewarpError

AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])
CINE = numbered(phases=6, depth=4)
CONTOURS = ("IM-0001-0048-icontour-manual.txt", "IM-0001-0048-ocontour-auto.txt", "SAX.con")


def write_minc(path, cine):
    """A cine as MINC has it: time, zspace, yspace, xspace."""
    steps = {"time": 0.05, "zspace": 8.0, "yspace": 1.5, "xspace": 1.4}
    with netcdf_file(str(path), "w") as file:
        for name, count in zip(steps, cine.shape, strict=True):
            file.createDimension(name, count)
            axis = file.createVariable(name, "i", ())
            axis.step, axis.start, axis.spacing = steps[name], 0.0, b"regular__"
            if name != "time":
                axis.direction_cosines = np.eye(3)[["xspace", "yspace", "zspace"].index(name)]
        image = file.createVariable("image", "h", tuple(steps))
        image[:] = np.rint(cine)
        image.signtype, image.valid_range = b"signed__", np.array([0.0, 4000.0])
        for name, value in (("image-max", 4000.0), ("image-min", 0.0)):
            file.createVariable(name, "d", ()).data[()] = value


def test_a_cine_in_minc_is_converted_with_time_last(tmp_path, monkeypatch):
    """nibabel leaves time first: its own NIfTI of it has phases in place of slices."""
    monkeypatch.chdir(tmp_path)
    write_minc(tmp_path / "Patient's heart.mnc", CINE)
    with pytest.raises(FacewarpError, match="time last") as caught:
        open_cine("Patient's heart.mnc")
    line = caught.value.fix.partition(": ")[2]
    exec(line, {"nibabel": nib, "numpy": np})
    found = open_cine("Patient's heart.nii.gz").volume
    assert found.data.shape == CINE.shape
    np.testing.assert_allclose(found.data, np.rint(CINE), atol=0.1)  # scaled on the way
    np.testing.assert_allclose(found.spacing_mm, (1.4, 1.5, 8.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("Segmentation.seg.nrrd", "Export it in 3D Slicer.*ReadImage"),
        ("cine_sax.mat", "CMRxRecon.*cine_sax.nii.gz"),
        ("scan.h5", "ISMRMRD"),
        ("a.npy", "X, Y, Z, T"),
        ("p.cvi42wsx", "RTSTRUCT"),
        ("sa.tif", "millimetres"),
        ("scan.PAR", "dcm2niix"),
        ("s.seq.nrrd", "SimpleITK"),
    ],
)
def test_files_are_refused_by_name(tmp_path, name, way):
    (tmp_path / name).write_bytes(b"of another program")
    for place in (tmp_path / name, tmp_path):
        with pytest.raises(FacewarpError, match=r"neither NIfTI|not a NIfTI") as caught:
            open_cine(place)
        assert name in str(caught.value)
        assert caught.value.fix == way_in(Path(name))
        assert re.search(way, caught.value.fix)


@pytest.mark.parametrize("name", CONTOURS)
def test_contours_of_single_pictures_are_named(tmp_path, name):
    """Sunnybrook's and Medis': points were looked for as patients of a list."""
    scan, place = tmp_path / "scan.nii.gz", tmp_path / "contours-manual" / "IRCCI-expert"
    nib.save(nib.Nifti1Image(CINE.T, AFFINE), scan)
    place.mkdir(parents=True)
    (place / name).write_text("60.10 61.00\n61.20 62.50\n")
    volume = open_cine(scan).volume
    for one in (place / name, place, place.parent):
        with pytest.raises(FacewarpError, match="RTSTRUCT or SEG"):
            read_labels(one, volume)
    with pytest.raises(FacewarpError, match=r"neither NIfTI nor DICOM.*RTSTRUCT or SEG"):
        open_cine(place.parent)
    if name.endswith(".txt"):
        with pytest.raises(FacewarpError, match="a contour, no list of patients"):
            discover([place / name])


def test_labels_in_nifti_are_given_by_their_file(tmp_path):
    (tmp_path / "labels").mkdir()
    for name in ("labels/ed.nii.gz", "scan.nii.gz"):
        nib.save(nib.Nifti1Image(CINE.T, AFFINE), tmp_path / name)
    with pytest.raises(FacewarpError, match=r"by their file: ed\.nii\.gz"):
        read_labels(tmp_path / "labels", open_cine(tmp_path / "scan.nii.gz").volume)


def test_a_picture_beside_a_scan_is_named_last():
    files = [Path("cover.png"), Path("raw.zip"), Path("scan.nrrd"), Path("notes.docx")]
    assert first_way_in(files) == (Path("scan.nrrd"), way_in(Path("scan.nrrd")))
    assert first_way_in([Path("notes.docx")]) is None
