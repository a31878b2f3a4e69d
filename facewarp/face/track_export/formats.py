"""The formats of tracks, by the name of a file or by their own."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError
from facewarp.face.track_export.after_effects import after_effects_text
from facewarp.face.track_export.after_effects_masks import after_effects_masks
from facewarp.face.track_export.blender import blender_script
from facewarp.face.track_export.gltf import write_gltf
from facewarp.face.track_export.nuke import nuke_script
from facewarp.face.track_export.shake import shake_shapes
from facewarp.face.track_export.shot import Shot

Files = Mapping[Path, str | bytes]


def _one(write: Callable[[Shot], str]) -> Callable[[Shot, Path], Files]:
    return lambda shot, path: {path: write(shot)}


def _each_face(shot: Shot, path: Path) -> Files:
    """Write a file for each face: the first under its name, others with theirs in it."""
    return {
        path if not place else path.with_name(f"{path.stem}.{track.name}{path.suffix}"): (
            after_effects_text(shot, track)
        )
        for place, track in enumerate(shot.tracks)
    }


FORMATS: Final[dict[str, tuple[str, Callable[[Shot, Path], Files]]]] = {
    "nuke": (".nk", _one(nuke_script)),
    "after-effects": (".txt", _each_face),
    "after-effects-masks": (".jsx", _one(after_effects_masks)),
    "shake": (".ssf", _one(shake_shapes)),
    "blender": (".py", _one(blender_script)),
    "gltf": (".glb", write_gltf),
}
"""Name -> suffix, and what makes files of a shot."""

_FORMAT_NAME: Final = re.compile(r"[A-Za-z][\w-]+")  # one letter is a drive of Windows


@dataclass(frozen=True)
class TracksTarget:
    """A file of tracks.

    Attributes:
        format: a name in `FORMATS`.
        path: the file.
    """

    format: str
    path: Path

    @classmethod
    def of(cls, text: str) -> "TracksTarget":
        """Parse a file's name, the format told by its suffix, or ``FORMAT:FILE``.

        Raises:
            FacewarpError: neither tells a format, or `FORMAT` is none.
        """
        name, colon, rest = text.partition(":")
        if colon and name in FORMATS and rest:
            return cls(name, Path(rest))
        path = Path(text)
        no_format = path.suffix or "a name without a suffix"
        if colon and rest and _FORMAT_NAME.fullmatch(name):
            no_format = f"'{name}'"
        else:
            for name, (suffix, _) in FORMATS.items():
                if path.suffix.lower() == suffix:
                    return cls(name, path)
        known = ", ".join(f"{name} ({suffix})" for name, (suffix, _) in FORMATS.items())
        what = f"{no_format} is no format of tracks"
        raise FacewarpError(what, text, f"Known: {known}; or say FORMAT:FILE.")

    @property
    def counts_frames(self) -> bool:
        """Whether keys are at numbers of frames; glTF has seconds."""
        return self.format != "gltf"

    def files(self, shot: Shot) -> Files:
        """Write a shot's files: path -> text or bytes."""
        return FORMATS[self.format][1](shot, self.path)
