"""What is asked of the analysis of a cine."""

from dataclasses import dataclass, field

from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.io.timing import ReadOptions


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
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    labels: str | None = None
    label_order: str = AUTO
    ed: int | None = None
    es: int | None = None
    label_names: str | None = None
    refined: bool = True
