"""Every public name has an example in its docstring, and the examples run."""

import doctest
import inspect
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import facewarp
from facewarp.face.effects.plugins import USER_EFFECTS
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.training.synthetic.beating_heart import BeatingHeart, beating_cine

CLIP = Path(__file__).parents[1] / "assets" / "demo" / "astronaut.mp4"
HEARTS = ("analyse_cine", "CineResult")
NAMES = sorted({*facewarp.__all__} - {"__version__"})
SPACING_MM = (4.0, 4.0, 12.0)


@pytest.fixture
def names(folder, portrait):
    """What the examples speak of, in a folder with their clip."""
    with open_source(CLIP, end=0.2) as source, open_sink(folder / "clip.mp4", like=source) as out:
        for frame in source:
            out.write(frame)
    image = portrait.image
    crops = {"fixed": image[:320, 80:340], "moving": image[:320, 90:350]}
    yield {"facewarp": facewarp, "np": np, "image": image, **crops}
    USER_EFFECTS.pop("inverted", None)


@pytest.fixture
def patient(folder):
    """A cine of a drawn heart beside it."""
    cine = beating_cine(BeatingHeart(), 3, (7, 64, 64), SPACING_MM, seed=1)
    gray = np.rint(600 * cine.images).astype(np.int16).T
    image = nib.Nifti1Image(gray, np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0]))
    image.header["pixdim"][1:5] = (*SPACING_MM, 0.3)
    nib.save(image, folder / "patient.nii.gz")


def run(told: object, names: dict[str, object]) -> int:
    """How many lines of the examples of a docstring were run; it fails where one does."""
    examples = doctest.DocTestParser().get_doctest(
        inspect.getdoc(told) or "", dict(names), getattr(told, "__name__", ""), None, 0
    )
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert result.failed == 0, "".join(said)
    return result.attempted


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in HEARTS])
def test_examples_of_public_names_run(name, names):
    assert run(getattr(facewarp, name), names) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_examples_of_hearts_run(names, monkeypatch):
    monkeypatch.setattr(facewarp, "analyse_cine", cache(facewarp.analyse_cine))
    for name in HEARTS:
        assert run(getattr(facewarp, name), names) > 0


@pytest.mark.slow
def test_the_example_of_the_package_runs(names):
    assert run(facewarp, names) > 0


def test_public_names_have_homes():
    assert sorted({*facewarp._HOME, "FacewarpError"}) == NAMES
