"""A phantom as files: the cine, and beside it everything that is true of it."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.nifti_writer import write_field, write_image, write_labels
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import MYOCARDIUM_G_PER_ML, volumes_ml
from facewarp.drawing.png import write_png
from facewarp.errors import FacewarpError
from facewarp.system.atomic_folder import OutputFolder
from facewarp.training.synthetic.phantom.dicom_series import write_dicom_series
from facewarp.training.synthetic.phantom.preview import phantom_film, phantom_sheet
from facewarp.training.synthetic.phantom.recipe import PhantomRecipe
from facewarp.training.synthetic.phantom.scan import PhantomScan
from facewarp.training.synthetic.phantom.true_strain import DIRECTIONS, TrueRegion, true_strain
from facewarp.version import __version__

TRUTH: Final = "truth.json"
CINE: Final = "cine.nii.gz"
LABELS: Final = "labels_4d.nii.gz"
_ALWAYS: Final = (CINE, LABELS, "curves.csv", "strain.csv", "sheet.png", "cine.gif")
_KINDS: Final = ("green_lagrange", "engineering")
_GRAY: Final = 1000  # stored value of a signal of 1

DEFINITIONS: Final = {
    "volumes": "ml of the analytic surfaces, papillary muscles and trabeculae counted to the "
    "cavity; 'labelled' counts the voxels of labels_4d.nii.gz",
    "ef_percent": "(EDV - ESV) / EDV of the analytic surfaces; ES is the phase of full contraction",
    "lv_mass_g": "volume of the left ventricle's wall times 1.05 g/ml; the wall is incompressible",
    "rv": "by counting points 1.5 mm apart",
    "fields": "true displacement of the tissue in mm, as facewarp cine writes fields: NIfTI intent "
    "1006, RAS mm, rounded to 1/128 mm; field_ed_to_NN lives on end-diastole and points into "
    "phase NN, field_NN_to_ed the other way; a slice's breath-hold shift is the same in all "
    "phases and is no displacement",
    "labels": "1 RV, 2 myocardium, 3 LV; of what fills most of a voxel",
    "strain": "from the deformation gradient F = dx/dp of the formulas, p at end-diastole: "
    "engineering |F e| - 1, Green-Lagrange (|F e|^2 - 1) / 2, in percent; e is radial (outwards "
    "from the ventricle's axis), circumferential, or longitudinal (along the axis), at "
    "end-diastole",
    "regions": "means by volume over the wall at end-diastole between base and apex of the cavity; "
    "levels are thirds of the cavity's length, segments those of the AHA from the septum's middle "
    "on, 1 to 16; 17, the cap beyond the cavity, is not given",
}


def is_finished(folder: Path, recipe: PhantomRecipe, dicom: bool, *, fields: bool = False) -> bool:
    """Whether a folder holds this phantom, whole.

    Args:
        folder: of the phantom.
        recipe: of the phantom that is wanted.
        dicom: whether its DICOM series is wanted, and nothing else.
        fields: whether its displacement fields are wanted.

    Raises:
        FacewarpError: it holds something else, or files of it are missing.
    """
    if not folder.exists():
        return False
    try:
        told = json.loads((folder / TRUTH).read_text("utf-8"))
        same = told["recipe"] == json.loads(json.dumps(recipe.to_dict())) and told["dicom"] == dicom
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        what = "something else is there already"
        raise FacewarpError(what, folder, "Nothing is overwritten: choose another --out.")
    wanted = [*_ALWAYS, *(["dicom"] if dicom else []), *(["fields"] if fields else [])]
    check_files(folder, wanted)
    return True


def check_files(folder: Path, names: Sequence[str]) -> None:
    """Check that files of a phantom are there.

    Raises:
        FacewarpError: some are missing.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        what = f"of the phantom {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        fix = "Make it anew: delete or move the folder, and run facewarp phantom."
        raise FacewarpError(what, folder, fix)


def read_recipe(folder: Path) -> PhantomRecipe:
    """Read the recipe of a phantom that was written.

    Raises:
        FacewarpError: it is none, or one of other formulas.
    """
    path = folder / TRUTH
    try:
        return PhantomRecipe.from_dict(json.loads(path.read_text("utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = "this is no phantom of this program's formulas"
        raise FacewarpError(what, path, "Make phantoms with: facewarp phantom --out DIR") from error


def find_phantoms(folder: Path) -> list[Path]:
    """Return the phantoms' folders in a folder, by name; itself where it is one.

    Raises:
        FacewarpError: there is no such folder, or no phantom in it.
    """
    if not folder.is_dir():
        raise FacewarpError("there is no such folder", folder, "Check the path.")
    if (folder / TRUTH).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{TRUTH}"))
    if not found:
        what = "there is no phantom to measure on"
        raise FacewarpError(what, folder, "Give a folder that facewarp phantom wrote.")
    return found


def write_phantom(
    recipe: PhantomRecipe,
    folder: Path,
    *,
    fields: bool = True,
    dicom: bool = False,
    step: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Write a phantom's folder, which appears when it is whole.

    It holds ``cine.nii.gz`` (and ``dicom/``), ``labels_4d.nii.gz``, the fields between
    end-diastole and every phase, ``curves.csv``, ``strain.csv``, ``truth.json``, ``sheet.png`` and
    ``cine.gif``.

    Args:
        recipe: of the phantom.
        folder: which is not there yet.
        fields: whether displacement fields are written.
        dicom: whether the cine is written as a DICOM series too.
        step: told the share of the work done, 0 to 1.

    Returns:
        What ``truth.json`` holds.

    Raises:
        FacewarpError: it can't be written.
    """
    scan = recipe.scanner()
    phases = recipe.scan.phases
    done = 0.0

    def advance() -> None:
        nonlocal done
        done += 0.8 / phases
        step(done)

    with OutputFolder(folder, TRUTH) as place:
        images, labels = scan.scan(advance)
        gray = stored(images)
        volume = as_volume(scan, gray, folder / CINE)
        write_image(place / CINE, gray, volume)
        write_labels(place / LABELS, labels, volume)
        if dicom:
            (place / "dicom").mkdir()
            write_dicom_series(place / "dicom", recipe, scan, gray)
        if fields:
            (place / "fields").mkdir()
            _write_fields(scan, volume, place / "fields")
        regions = true_strain(recipe.motion, scan.contraction)
        truth = truth_of(recipe, scan, labels, regions, volume.voxel_ml, dicom)
        _write_curves(place / "curves.csv", recipe, scan)
        _write_strain(place / "strain.csv", scan, regions)
        write_png(place / "sheet.png", phantom_sheet(volume, labels, scan.es, _title(truth)))
        phantom_film(place / "cine.gif", volume, labels)
        text = json.dumps(truth, indent=2, ensure_ascii=False, allow_nan=False)
        (place / TRUTH).write_text(text + "\n", "utf-8")
    step(1.0)
    return truth


def stored(images: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return gray values as files hold them."""
    return np.rint(images * _GRAY).astype(np.int16)


def as_volume(scan: PhantomScan, data: NDArray[Any], path: Path) -> Volume:
    """Return a phantom's cine as it is when its file is read."""
    settings = scan.settings
    header = nib.Nifti1Header()
    header.set_data_shape(data.shape[::-1])
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    step = settings.rr_s / settings.phases
    header.set_zooms((*settings.spacing_mm, step))
    header.set_sform(scan.affine, 1)
    header.set_qform(scan.affine, 1)
    return Volume(np.asarray(data, np.float32), scan.affine, step, (), header, path)


def truth_of(
    recipe: PhantomRecipe,
    scan: PhantomScan,
    labels: NDArray[np.uint8],
    regions: Sequence[TrueRegion],
    voxel_ml: float,
    dicom: bool = False,
) -> dict[str, Any]:
    """Return what is true of a phantom, as plain values."""
    motion = recipe.motion
    counted = volumes_ml(labels, voxel_ml)
    sides = {
        "lv": (motion.lv_ml(0.0), motion.lv_ml(1.0), HeartPart.LV),
        "rv": (scan.chest.rv_ml(0.0), scan.chest.rv_ml(1.0), HeartPart.RV),
    }
    told: dict[str, Any] = {
        "phantom": recipe.name,
        "phases": recipe.scan.phases,
        "ed_frame": 1,
        "es_frame": scan.es + 1,
        "rr_interval_s": recipe.scan.rr_s,
    }
    for name, (edv, esv, part) in sides.items():
        seen = counted[0, part], counted[scan.es, part]
        told[name] = _ventricle(edv, esv) | {"labelled": _ventricle(*map(float, seen))}
    told |= {
        "lv_mass_g": round(motion.wall_ml * MYOCARDIUM_G_PER_ML, 4),
        "infarct_segment": recipe.infarct_segment,
        "strain_at_es": [_row(region, scan.es) for region in regions],
        "breath_hold_shifts_mm": scan.breath_shifts_mm.round(4).tolist(),
        "affine": scan.affine.tolist(),
        "definitions": DEFINITIONS,
        "dicom": dicom,
        "recipe": json.loads(json.dumps(recipe.to_dict())),
        "facewarp": __version__,
    }
    return told


def _ventricle(edv: float, esv: float) -> dict[str, float]:
    ef = 100 * (edv - esv) / edv if edv else 0.0
    return {
        "edv_ml": round(edv, 4),
        "esv_ml": round(esv, 4),
        "sv_ml": round(edv - esv, 4),
        "ef_percent": round(ef, 4),
    }


def _row(region: TrueRegion, phase: int) -> dict[str, Any]:
    row: dict[str, Any] = {"region": region.kind, "number": region.number, "name": region.name}
    for way in DIRECTIONS:
        row[f"{way}_engineering_percent"] = round(float(region.engineering[way][phase]), 4)
        row[f"{way}_green_lagrange_percent"] = round(float(region.green[way][phase]), 4)
    return row | {"thickness_mm": round(float(region.thickness_mm[phase]), 4)}


def _write_fields(scan: PhantomScan, volume: Volume, place: Path) -> None:
    for phase, amount in enumerate(scan.contraction.tolist()):
        if phase:
            for name, ends in (("ed_to_{}", (0.0, amount)), ("{}_to_ed", (amount, 0.0))):
                path = place / f"field_{name.format(f'{phase + 1:02d}')}.nii.gz"
                write_field(path, scan.field(*ends), volume)


def _write_curves(path: Path, recipe: PhantomRecipe, scan: PhantomScan) -> None:
    step = recipe.scan.rr_s / recipe.scan.phases
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["phase", "time_s", "contraction", "lv_ml", "myocardium_ml", "moment"])
        for phase, amount in enumerate(scan.contraction.tolist()):
            moment = {0: "ED", scan.es: "ES"}.get(phase, "")
            volumes = (recipe.motion.lv_ml(amount), recipe.motion.wall_ml)
            table.writerow([phase + 1, f"{phase * step:.4f}", f"{amount:.6f}",
                            *(f"{one:.3f}" for one in volumes), moment])  # fmt: skip


def _write_strain(path: Path, scan: PhantomScan, regions: Sequence[TrueRegion]) -> None:
    step = scan.settings.rr_s / scan.settings.phases
    columns = [f"{way}_{kind}_percent" for way in DIRECTIONS for kind in _KINDS]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        heads = ["region", "number", "name", "phase", "time_from_ed_s"]
        table.writerow([*heads, *columns, "thickness_mm"])
        for region in regions:
            for phase in range(scan.settings.phases):
                row = _row(region, phase)
                values = [f"{row[name]:.3f}" for name in (*columns, "thickness_mm")]
                table.writerow([region.kind, region.number, region.name, phase + 1,
                                f"{phase * step:.4f}", *values])  # fmt: skip


def _title(truth: dict[str, Any]) -> str:
    infarct = truth["infarct_segment"]
    scar = f", segment {infarct} does not contract" if infarct else ""
    lv: dict[str, float] = truth["lv"]
    return f"{truth['phantom']}: EF {lv['ef_percent']:.0f} %, EDV {lv['edv_ml']:.0f} ml{scar}"
