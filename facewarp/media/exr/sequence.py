"""A file of layers for each frame, written one by one; whole ones can be kept."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from facewarp.errors import FacewarpError
from facewarp.media.exr.layers_file import LayersFile, is_whole, openexr, write_layers
from facewarp.media.numbered_names import NumberedName
from facewarp.media.outputs import Output

MADE_FROM: Final = "facewarp/made_from"
"""Attribute that tells which frame of what a file was made from, by which template and model."""


class LayersSequence(Output):
    """Files of layers, `out.####.exr`; each is whole when it appears, and stays.

    Args:
        target: the pattern; without a number for one picture.
        made_from: what the files are made from, for `resume`.
        numbered: whether there are several frames, so that the name needs a number.
        resume: keep files that are there, whole and made from the same.

    Raises:
        FacewarpError: the pattern has no number or is no .exr, or OpenEXR is not installed.
    """

    def __init__(
        self,
        target: Path,
        made_from: Mapping[str, Any],
        *,
        numbered: bool = True,
        resume: bool = False,
    ) -> None:
        super().__init__(target)
        if target.suffix.lower() != ".exr":
            raise FacewarpError(
                "passes are written as OpenEXR", target, f"Call it {target.stem}.####.exr."
            )
        openexr()
        self._name = NumberedName.of(target)
        if numbered:
            self._name = NumberedName.needed(target, "a file of passes for each frame")
        self._made_from, self._resume = dict(made_from), resume
        self.resumed = 0

    def path(self, number: int) -> Path:
        """Return the file of a frame."""
        return self.target if self._name is None else self._name.path(number)

    def has(self, number: int) -> bool:
        """Return whether a frame's file is kept as it is; in any thread."""
        return self._resume and is_whole(self.path(number), MADE_FROM, self._mark(number))

    def count(self, *, resumed: bool) -> None:
        """Count a file that is there, written or kept."""
        self.kept += 1
        self.resumed += resumed

    def write(self, number: int, file: LayersFile) -> None:
        """Write a frame's file; in any thread.

        Raises:
            FacewarpError: it could not be written; those before are whole.
        """
        attributes = {**file.attributes, MADE_FROM: self._mark(number)}
        whole = LayersFile(file.size, file.box, file.channels, file.pixel_aspect, attributes)
        write_layers(self.path(number), whole)

    def _mark(self, number: int) -> str:
        return json.dumps({**self._made_from, "number": number}, sort_keys=True)

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if not self.kept and not keep_partial:
            raise FacewarpError("no frame was written", self.target)

    def abort(self) -> None:
        """Leave the files that are finished."""
