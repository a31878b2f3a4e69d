"""What is asked of the analysis of a cine."""

from dataclasses import dataclass, field

from facewarp.cardiac.io.timing import ReadOptions


@dataclass(frozen=True)
class CineOptions:
    """What is asked of the analysis of a cine, beside its files and the model.

    Attributes:
        reading: what is known better than the files tell it.
        labels: file of part labels of end-diastole made by a reader; the model's own if None.
        label_order: the convention of their ids, such as ``"acdc"`` or ``"mnms"``; by default what
            anatomy says.
        ed: frame of end-diastole, counted from 1; by default what ``Info.cfg`` or the labels say,
            or where the left ventricle is largest.
        es: frame of end-systole, likewise.
        refined: fields of both directions are refined into one invertible motion, see
            `motion.refinement`; otherwise the network's are reconciled.
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    labels: str | None = None
    label_order: str = "auto"
    ed: int | None = None
    es: int | None = None
    refined: bool = True
