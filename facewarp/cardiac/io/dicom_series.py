"""A cine short-axis series in DICOM as one volume over time."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.acquisitions import choose_cine
from facewarp.cardiac.io.dicom_files import find_dicom
from facewarp.cardiac.io.dicom_frames import read_images, read_pixels
from facewarp.cardiac.io.slice_stack import SliceImage, assemble
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError


def read_dicom(
    place: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> Volume:
    """Read a cine: a folder of single pictures or enhanced files, or one enhanced file.

    Pictures are gathered by where they lie along the stack and sorted by their time after the
    R wave. Series of one slice each make one stack together; of several series the short-axis
    cine is chosen, and the others are named.

    Args:
        place: the folder, searched at any depth, or the file.
        options: what the user knows better than the files.

    Returns:
        ``(T, D, H, W)``; see :func:`~facewarp.cardiac.io.slice_stack.assemble`.

    Raises:
        FacewarpError: no pictures, files that cannot be read, several cines, missing or duplicate
            slices or phases, nothing to sort by, or what
            :func:`~facewarp.cardiac.io.dicom_frames.read_images` refuses.
    """
    found = find_dicom(place)
    found.refuse_broken(place)
    pictures = read_images(found.files)
    if not pictures.images:
        count = len(found.files)
        what = "there is no DICOM picture" + (f" among {count} files" if count else "")
        raise FacewarpError(what, place, "Give the folder of a cine short-axis series.")
    images, said = choose_cine(pictures.images, place, options.series)
    whole: dict[Path, NDArray[np.float32]] = {}

    def pixels(image: SliceImage) -> NDArray[np.float32]:
        if image.file in whole:
            return whole[image.file][image.frame]
        read = read_pixels(image.file)
        if len(read) > 1:
            whole[image.file] = read
        return read[image.frame]

    return assemble(images, pixels, place, options, [*pictures.warnings, *said])
