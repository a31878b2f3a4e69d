"""A patient of any data set of labelled hearts, told by the files of its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.io.patient import INFO
from facewarp.errors import FacewarpError
from facewarp.training.datasets.acdc import HeartPatient, load_acdc_patient
from facewarp.training.datasets.mnms import (
    is_mnms,
    is_mnms2,
    load_mnms2_patient,
    load_mnms_patient,
)

#: Names of the data sets for people, by the names that ``facewarp eval`` has for them.
TITLES: Final = {"acdc": "ACDC", "mnms": "M&Ms", "mnms2": "M&Ms-2"}

ReadPatient = Callable[[Path], HeartPatient]


def load_patient(folder: Path, label_order: str = AUTO) -> HeartPatient:
    """Read a patient of ACDC, M&Ms or M&Ms-2.

    Args:
        folder: the patient's.
        label_order: convention of the labels' ids; by default what anatomy says, else the data
            set's own.

    Raises:
        FacewarpError: the folder is of none of them, or what their readers refuse.
    """
    if (folder / INFO).is_file() or not folder.is_dir():
        return load_acdc_patient(folder, label_order)
    if is_mnms2(folder):
        return load_mnms2_patient(folder, label_order)
    if is_mnms(folder):
        return load_mnms_patient(folder, label_order)
    what = "this is no patient's folder of ACDC, M&Ms or M&Ms-2"
    fix = f"It takes {INFO}, a file _sa_gt.nii.gz, or one _SA_ED_gt.nii.gz."
    raise FacewarpError(what, folder, fix)
