"""ACDC: patients are read as the challenge stores them, and split as the protocols say."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.parts import HeartPart
from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import preset
from facewarp.training.dataloading.heart_data import (
    chosen_patients,
    heart_grid,
    heart_training_data,
    patient_folders,
    spans,
)
from facewarp.training.datasets.acdc import (
    heart_case,
    load_acdc_patient,
    number_in_group,
    patient_number,
)
from facewarp.training.evaluation.heart_protocols import PROTOCOLS
from facewarp.training.evaluation.heart_volumes import true_indices
from facewarp.training.synthetic.acdc_folders import write_acdc_file, write_drawn_patient

GRID = (8, 32, 32)
SPACING = (6.0, 6.0, 12.0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient's folder, its ED the 4th frame and its ES the 11th."""
    return write_drawn_patient(tmp_path_factory.mktemp("acdc"), 23, frames=(4, 11))


@pytest.fixture
def patient(drawn: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(drawn, tmp_path / drawn.name))


def folders_of(place: Path, *numbers: int) -> Path:
    """Patients' folders with nothing but an Info.cfg, some of them deep inside."""
    for number in numbers:
        folder = place / ("training" if number <= 100 else "testing") / f"patient{number:03d}"
        folder.mkdir(parents=True)
        (folder / "Info.cfg").write_text("ED: 1\nES: 9\n")
    return place


def test_a_patient_has_its_true_spacing_and_own_ed(drawn: Path) -> None:
    found = load_acdc_patient(drawn)
    assert (found.name, found.info.group, found.info.ed, found.info.es) == (
        *("patient023", "HCM", 4, 11),
    )
    assert nib.load(drawn / "patient023_frame04.nii.gz").affine[2, 2] == 1.0  # a placeholder
    assert found.images[0].spacing_mm == pytest.approx((4, 4, 12))
    ed, es = (np.asarray(nib.load(path).dataobj).T for path in sorted(drawn.glob("*_gt.nii.gz")))
    assert np.array_equal(found.labels[0].data, ed)
    assert np.array_equal(found.labels[1].data, es)
    true = true_indices(found).lv
    assert true.edv_ml == pytest.approx((ed == HeartPart.LV).sum() * 4 * 4 * 12 / 1000)
    assert true.esv_ml == pytest.approx((es == HeartPart.LV).sum() * 4 * 4 * 12 / 1000)
    assert 20 < true.ef_percent < 75


def test_a_case_is_the_patient_on_a_grid(drawn: Path) -> None:
    found, case = load_acdc_patient(drawn), heart_case(load_acdc_patient(drawn), GRID, SPACING)
    assert case.images.shape == case.labels.shape == (2, *GRID)
    assert (case.images.dtype, case.labels.dtype) == (np.float32, np.uint8)
    assert case.images.min() == 0
    assert case.images.max() == 1
    for phase in range(2):
        for part in list(HeartPart)[1:]:
            there = (found.labels[phase].data == part).sum() * found.labels[phase].voxel_ml
            here = (case.labels[phase] == part).sum() * np.prod(SPACING) / 1000
            assert here == pytest.approx(there, rel=0.25, abs=3)
    x, y, z = case.center
    inside = np.argwhere(case.labels.any(axis=0))
    assert np.allclose((z, y, x), (inside.min(axis=0) + inside.max(axis=0)) / 2)


@pytest.mark.parametrize("slices", [6, 7])
def test_slices_of_a_grid_are_slices_that_were_scanned(slices: int, tmp_path: Path) -> None:
    folder = write_drawn_patient(tmp_path, 1, shape=(slices, 40, 40))
    case = heart_case(load_acdc_patient(folder), (10, 40, 40), (4.0, 4.0, 12.0))
    found = load_acdc_patient(folder)
    labelled = [labels.any(axis=(1, 2)).sum() for labels in case.labels]
    assert labelled == [labels.data.any(axis=(1, 2)).sum() for labels in found.labels]
    low, high = np.percentile(found.stacked(), (1, 99))
    for phase in range(2):
        scanned = ((found.images[phase].data - low) / (high - low)).clip(0, 1)
        filled = case.images[phase][case.images.any(axis=(0, 2, 3))]
        assert np.allclose(filled, scanned, atol=1e-4)  # none is a mixture of two


def test_numbers_of_patients() -> None:
    assert [number_in_group(f"patient{n:03d}") for n in (1, 20, 21, 100, 101)] == [1, 20, 1, 20, 1]
    assert patient_number("patient007") == 7
    with pytest.raises(FacewarpError, match="'anna' has no number"):
        patient_number("anna")
    assert spans([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


def rewritten(path: Path, **changes: object) -> None:
    volume = read_volume(path)
    data = np.asarray(changes.get("data", volume.data))
    write_acdc_file(path, data, changes.get("spacing", (4, 4, 12)))  # type: ignore[arg-type]


def spoil_info(folder: Path) -> None:
    (folder / "Info.cfg").write_text("ES: 11\n")


def spoil_frame_number(folder: Path) -> None:
    (folder / "Info.cfg").write_text("ED: 5\nES: 11\n")


def spoil_labels(folder: Path) -> None:
    (folder / "patient023_frame11_gt.nii.gz").unlink()


def spoil_shape(folder: Path) -> None:
    path = folder / "patient023_frame11_gt.nii.gz"
    rewritten(path, data=read_volume(path).data[:, 1:].astype(np.uint8))


def spoil_spacing(folder: Path) -> None:
    rewritten(folder / "patient023_frame11.nii.gz", spacing=(4, 4, 10))


def spoil_ids(folder: Path) -> None:
    path = folder / "patient023_frame04_gt.nii.gz"
    rewritten(path, data=(2 * read_volume(path).data).astype(np.uint8))


def spoil_halves(folder: Path) -> None:
    path = folder / "patient023_frame04_gt.nii.gz"
    rewritten(path, data=read_volume(path).data / 2)


def spoil_ventricle(folder: Path) -> None:
    path = folder / "patient023_frame04_gt.nii.gz"
    rewritten(path, data=np.minimum(read_volume(path).data, 2).astype(np.uint8))


def spoil_axes(folder: Path) -> None:
    path = folder / "patient023_frame04.nii.gz"
    rewritten(path, data=np.stack([read_volume(path).data] * 2))


def spoil_file(folder: Path) -> None:
    path = folder / "patient023_frame04.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_info, r"does not tell the frames of ED and ES.*Info\.cfg"),
        (spoil_frame_number, "no file of frame 5, which is ED"),
        (spoil_labels, r"frame 11 \(ES\) has no labels.*patient023_frame11_gt"),
        (spoil_shape, "has 48 x 47 x 7 voxels, patient023_frame04.nii.gz 48 x 48 x 7"),
        (spoil_spacing, "lies elsewhere in the world"),
        (spoil_ids, "labels up to 6.*Parts are 0 background"),
        (spoil_halves, "not all whole numbers"),
        (spoil_ventricle, "no voxel is labelled 3"),
        (spoil_axes, "this frame has 2 phases"),
        (spoil_file, "cut short, damaged"),
    ],
)
def test_a_spoilt_patient_is_refused_in_one_line(spoil, said: str, patient: Path) -> None:
    spoil(patient)
    with pytest.raises(FacewarpError, match=said) as error:
        load_acdc_patient(patient)
    assert "\n" not in str(error.value)
    assert "patient023" in str(error.value)


def test_a_heart_off_the_grid_is_refused(patient: Path) -> None:
    for path in patient.glob("*_gt.nii.gz"):
        labels = np.zeros_like(read_volume(path).data, dtype=np.uint8)
        labels[:, :3, :3] = HeartPart.LV
        rewritten(path, data=labels)
    with pytest.raises(FacewarpError, match="no labelled voxel is near the middle"):
        heart_case(load_acdc_patient(patient), (8, 16, 16), (4.0, 4.0, 12.0))


def test_a_run_trains_on_14_of_20_and_chooses_with_3(tmp_path: Path) -> None:
    place = tmp_path / "acdc"
    for number in (1, 14, 15, 17, 18, 20, 34, 36, 101):
        write_drawn_patient(place / "deep", number, shape=(6, 32, 32))
    model = preset("acdc", {"model.grid_shape": "8,32,32", "model.spacing_mm": "6,6,12"}).model
    data = heart_training_data(place, model)
    assert [case.name for case in data.cases] == ["patient001", "patient014", "patient034"]
    assert [p.name for p in data.held_out] == ["patient015", "patient017", "patient036"]
    assert data.description == "acdc: 1, 14, 34 (3 patients)"
    assert data.cases[0].images.shape > (2, 8, 32, 32)  # views are shifted and turned
    (place / "deep" / "patient015" / "Info.cfg").write_text("nonsense")
    alone = heart_training_data(place, model, hold_out=False)  # 15 isn't even read
    assert alone.held_out == []


def test_runs_without_patients_say_so(tmp_path: Path) -> None:
    model = preset("acdc").model
    with pytest.raises(FacewarpError, match="no such folder"):
        heart_training_data(tmp_path / "nope", model)
    with pytest.raises(FacewarpError, match=r"no patients here.*patient001 with Info\.cfg"):
        heart_training_data(tmp_path, model)
    with pytest.raises(FacewarpError, match="no patients to train on"):
        heart_training_data(folders_of(tmp_path, 15, 18, 101), model)
    with pytest.raises(FacewarpError, match=r"to validate with: 15 to 17.*--no-validate"):
        heart_training_data(folders_of(tmp_path / "b", 1, 18), model)
    with pytest.raises(FacewarpError, match="this is no heart model: 'face' with 0 classes"):
        heart_grid(ModelConfig())


def test_the_same_patient_twice_is_refused(tmp_path: Path) -> None:
    folders_of(tmp_path, 7)
    folders_of(tmp_path / "copy", 7)
    with pytest.raises(FacewarpError, match="patient007 is here more than once"):
        patient_folders(tmp_path)


def test_patients_are_chosen_by_number(tmp_path: Path) -> None:
    folders = patient_folders(folders_of(tmp_path, 3, 1, 2, 110))
    assert [patient_number(p.name) for p in folders] == [1, 2, 3, 110]

    def chosen(text: str) -> list[int]:
        return [patient_number(path.name) for path in chosen_patients(folders, text)]

    assert chosen("all") == [1, 2, 3, 110]
    assert chosen("110, 1-2") == [110, 1, 2]
    assert chosen("patient003,3,003") == [3]
    for text, said in (
        ("", "names no patients"),
        ("1-2-3", "names no patients"),
        ("x", "'x' names no patients"),
        ("2-5", "no patient '4-5'.*There are 1-3, 110"),
        ("3-1", "no patient"),
    ):
        with pytest.raises(FacewarpError, match=said):
            chosen_patients(folders, text)


@pytest.mark.parametrize(
    ("there", "protocol", "expected", "split"),
    [
        (range(1, 41), "paper", [*range(15, 21), *range(35, 41)], "test patients 15-20, 35-40"),
        (range(1, 41), "memwarp", [18, 19, 20, 38, 39, 40], "validation patients 18-20, 38-40"),
        ((1, 18, 101, 150), "memwarp", [101, 150], "official test patients 101, 150"),
        ((1, 18, 101, 150), "paper", [18], "test patients 18"),
        ((101, 102), "paper", [101, 102], "official test patients 101-102"),
    ],
)
def test_protocols_take_their_own_patients(
    there, protocol: str, expected: list[int], split: str, tmp_path: Path
) -> None:
    name, folders = PROTOCOLS[protocol].patients(folders_of(tmp_path, *there))
    assert [patient_number(p.name) for p in folders] == expected
    assert name == split


def test_protocols_without_their_patients_say_so(tmp_path: Path) -> None:
    place = folders_of(tmp_path, 1, 2)
    with pytest.raises(FacewarpError, match="none of the patients of the protocol 'memwarp'"):
        PROTOCOLS["memwarp"].patients(place)
    name, folders = PROTOCOLS["memwarp"].patients(place, "2")
    assert (name, [p.name for p in folders]) == ("patients 2", ["patient002"])


def test_the_published_numbers_of_patients(data_dir: Path) -> None:
    place = data_dir / "acdc"
    assert len(PROTOCOLS["paper"].patients(place)[1]) == 30
    assert len(PROTOCOLS["memwarp"].patients(place)[1]) == 15


@pytest.mark.slow
def test_real_patients_are_read_in_millilitres(data_dir: Path) -> None:
    for folder in PROTOCOLS["memwarp"].patients(data_dir / "acdc", "1,90")[1]:
        patient = load_acdc_patient(folder)
        assert patient.images[0].spacing_mm[2] >= 5
        true = true_indices(patient)
        assert 60 < true.lv.edv_ml < 400
        assert 10 < true.lv.esv_ml < true.lv.edv_ml
