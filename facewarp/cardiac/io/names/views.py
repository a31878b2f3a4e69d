"""What the name of a NIfTI file tells of its picture: labels, a short axis or a long one.

Names of people, of places and numbers of archives look like views, too (``LA_001``, ``94c90d12``):
what would be left out by its name alone must have its short axis beside it.
"""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facewarp.cardiac.io.names.nifti_names import stem

_LABELS: Final = re.compile(
    r"((^|[_.-])(gt|d?seg|probseg|label|labels|mask|segmentation)$|^(label|labels|seg|mask|gt)[_.-])",
    re.IGNORECASE,
)
_LONG_AXIS: Final = re.compile(
    r"(?<![a-z0-9])(lax?([ _-]?[234] ?c(h(amber)?)?)?\d*|[234] ?ch(amber)?\d*|[234]c|hla|vla)"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)
_SHORT_AXIS: Final = re.compile(r"(?<![a-z])(sa|sax|short)(?![a-z])", re.IGNORECASE)
_LABEL_FOLDER: Final = re.compile(
    r"(labels?|masks?|contours?|segs?|segmentations?|gt|ground[ _-]?truth|annotations?)"
    r"([_-]?t[rs])?",
    re.IGNORECASE,
)
#: End-diastole and end-systole, also in the words of languages that have them from Greek
#: (``enddiastolisch``, ``télésystole``, ``sístole``) and in Chinese.
_WORDS_OF_MOMENTS: Final = {
    "ED": re.compile(r"di[aá]stol|舒张|shu_?zhang", re.IGNORECASE),
    "ES": re.compile(r"s[yií]stol|收缩|shou_?suo", re.IGNORECASE),
}
_LETTERS_OF_MOMENTS: Final = re.compile(r"(?:^|[_-])(ED|ES)(?=[_-]|$)", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[\W_]+")


def is_label_file(path: Path) -> bool:
    """Whether a NIfTI file is named like one of labels."""
    return bool(_LABELS.search(stem(path)))


def is_label_folder(path: Path) -> bool:
    """Whether a folder is named like one of labels alone, as nnU-Net's ``labelsTr`` is."""
    return bool(_LABEL_FOLDER.fullmatch(path.name))


def moment_of(path: Path) -> str:
    """Return ``"ED"`` or ``"ES"`` where a NIfTI file's name says so; "" otherwise."""
    name = unicodedata.normalize("NFC", stem(path))  # é may be an e and an accent
    said = {one for one, words in _WORDS_OF_MOMENTS.items() if words.search(name)}
    said = said or {one.upper() for one in _LETTERS_OF_MOMENTS.findall(name)}
    return said.pop() if len(said) == 1 else ""


def is_long_axis(path: Path) -> bool:
    """Whether a NIfTI file is named like a long-axis picture and not like a short-axis one."""
    return bool(_LONG_AXIS.search(stem(path))) and not _SHORT_AXIS.search(stem(path))


def cines_apart(files: Sequence[Path], series: str | None) -> tuple[list[Path], list[str]]:
    """Return the files of one patient's short-axis cine by their names, and what is to be said.

    Args:
        files: of a patient's folder.
        series: a part of the name meant by the user.
    """
    if series is not None:
        named = [path for path in files if series.lower() in stem(path).lower()]
        return (named or list(files)), []
    long = [path for path in files if is_long_axis(path)]
    kept = [path for path in files if path not in long]
    if not kept or not long:
        return list(files), about_long_axis(long)
    short = [path for path in kept if _SHORT_AXIS.search(stem(path))]
    names = ", ".join(path.name for path in long[:4])
    return short or kept, [f"left out, long-axis pictures by their names: {names}"]


def about_long_axis(files: Sequence[Path]) -> list[str]:
    """Return what is to be said of files that are all named like long-axis pictures."""
    if not files or not all(map(is_long_axis, files)):
        return []
    said = f"{files[0].name} is named like a long-axis picture: volumes and strain of one are wrong"
    return [f"{said}, they need a stack along the short axis"]


def beside_short_axes(files: Sequence[Path]) -> list[Path]:
    """Return the files that are long axes of what has its short axis among them, by their names.

    ``p1_la_4ch`` is one beside ``p1_sa`` or ``p1``; beside other patients' files it is not.
    """
    whose = {_patient(path) for path in files if not is_long_axis(path)}
    return [path for path in files if is_long_axis(path) and _patient(path) in whose]


def _patient(path: Path) -> str:
    """Return a name without what tells the view."""
    left = _SHORT_AXIS.sub("", _LONG_AXIS.sub("", stem(path)))
    return _BETWEEN.sub("_", left).strip("_").lower()
