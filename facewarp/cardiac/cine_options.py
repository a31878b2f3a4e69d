"""What is asked of the analysis of a cine."""

from dataclasses import dataclass, field

from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError


@dataclass(frozen=True)
class CineOptions:
    """What is asked of the analysis of a cine, beside its files and the model.

    Attributes:
        reading: what is known better than the files tell it.
        labels: file of part labels of end-diastole made by a reader, as NIfTI, DICOM segmentation
            or structure set, or a folder of such DICOM; the model's own if None.
        label_order: the convention of their ids, such as ``"acdc"`` or ``"mnms"``; by default what
            anatomy says.
        ed: frame of end-diastole, counted from 1; by default what ``Info.cfg`` or the labels say,
            or where the left ventricle is largest.
        es: frame of end-systole, likewise.
        label_names: which structure of DICOM labels is which part, such as
            ``"lv=endo,wall=myo,rv=3"``; by default what names and codes say.
        refined: fields of both directions are refined into one invertible motion, see
            `motion.refinement`; otherwise the network's are reconciled.

    Raises:
        FacewarpError: something is said of labels, and there are none.
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    labels: str | None = None
    label_order: str = AUTO
    ed: int | None = None
    es: int | None = None
    label_names: str | None = None
    refined: bool = True

    def __post_init__(self) -> None:
        for name, is_given in (
            ("label_order", self.label_order != AUTO),
            ("label_names", self.label_names is not None),
        ):
            if is_given and self.labels is None:
                what = f"{name} is given, and no labels are"
                raise FacewarpError(what, fix="Give labels, too, or leave it out.")
