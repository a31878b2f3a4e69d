"""Evaluate an occlusion network on composites of faces and objects that it has not seen.

``python -m facewarp.training.occlusion.evaluate face-occlusion --celebamask celebamask/val
--helen helen/testset`` puts objects of other seeds before those photographs' faces, and prints how
much of what is hidden is found, by kind of object, and how much of free faces is called hidden.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model, load
from facewarp.drawing.png import write_png
from facewarp.errors import FacewarpError
from facewarp.system.machine import processor
from facewarp.training.datasets.celebamask import load_celebamask
from facewarp.training.datasets.helen import load_helen
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.occlusion.matte_data import KINDS, Matte, held_out_composites, is_free
from facewarp.training.occlusion.matte_errors import errors_of
from facewarp.training.occlusion.matte_scores import scores_of, sheet

SEED = 20_261
_SHOWN = 42


def evaluate(
    model: Model,
    photos: Sequence[FacePhoto],
    count: int,
    picture: Path | None = None,
    only: str | None = None,
    errors: bool = False,
) -> dict[str, Any]:
    """Evaluate a network on composites.

    Args:
        model: an occlusion network.
        photos: whose faces objects are put before.
        count: composites; a third of them without an object.
        picture: where a sheet of some is written.
        only: the one kind of object, of `matte_data.KINDS`.
        errors: tell where it is wrong, too, and the IoU of the same composites without made light
            and a camera's faults.
    """
    matte = engine_matte(model)
    composites = held_out_composites(photos, count, SEED, only)
    if picture is not None:
        write_png(picture, sheet(matte, composites[:_SHOWN]))
    found = {
        "photographs": len(photos),
        "composites": len(composites),
        **asdict(scores_of(matte, composites)),
    }
    if errors:
        found["errors"] = asdict(errors_of(matte, composites))
        for faults in (("light",), ("camera",), ("light", "camera")):
            easier = held_out_composites(photos, count, SEED, only, frozenset(faults))
            found["errors"][f"iou_without_{'_and_'.join(faults)}"] = scores_of(matte, easier).iou
    return found


def engine_matte(model: Model) -> Matte:
    """Run a model by its engine on pictures."""

    def matte(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        given = np.ascontiguousarray(np.moveaxis(images, 3, 1), np.float32) / np.float32(255)
        return np.asarray(model.engine.parts(given)[:, 1])

    return matte


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a shipped name, a run's folder or a weights file")
    parser.add_argument("--celebamask", type=Path, required=True, help="images/ and masks/")
    parser.add_argument("--helen", type=Path, help="NAME.jpg with NAME.pts")
    parser.add_argument("--screen", help="another network, by which those of --helen are chosen")
    parser.add_argument("--engine", default="torch", help="what runs the network")
    parser.add_argument("--count", type=int, default=600, help="composites")
    parser.add_argument("--only", choices=KINDS, help="one kind of object, to be sure of it")
    parser.add_argument("--errors", action="store_true", help="tell where it is wrong, too")
    parser.add_argument("--picture", type=Path, help="where a sheet of some is written, PNG")
    given = parser.parse_args(words)
    try:
        model = load(given.model, engine=given.engine)
        found: dict[str, Any] = {
            "model": str(given.model),
            "sha256": model.sha256,
            "engine": given.engine,
            "machine": processor(),
            "seed": SEED,
            "sets": {},
        }
        sets = {"celebamask": load_celebamask(given.celebamask)}
        if given.helen is not None:
            sets["helen"] = load_helen(given.helen)
            if given.screen is not None:
                matte = engine_matte(load(given.screen))
                sets["helen"] = [photo for photo in sets["helen"] if is_free(photo, matte)]
        for name, photos in sets.items():
            found["sets"][name] = evaluate(
                model, photos, given.count, given.picture, given.only, given.errors
            )
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
