"""Release the part network of eyes and mouth: 8-bit weights.

``python -m facewarp.training.release.ship weights RUN face-details --data helen afw celebamask``
copies the weights; ``python -m facewarp.training.release.details int8 --data helen`` writes the
8-bit weights beside them, with ranges from views of training photographs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facewarp.core.engines.quantization import quantize
from facewarp.core.model import load
from facewarp.core.weights import INT8_DETAILS, file_sha256, shipped_weights
from facewarp.errors import FacewarpError
from facewarp.face.details.patches import KIND
from facewarp.face.template.template import Template
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.training.dataloading.face_data import helen_training_data
from facewarp.training.details.data import DetailBatches, located

_PHOTOGRAPHS = 120
_CALIBRATED_ON = 320  # views: mouths and pairs of eyes, half of each


def write_int8(data: Path) -> Path:
    """Write the 8-bit weights of the shipped network.

    Args:
        data: Helen, as for training.

    Returns:
        Their folder.

    Raises:
        FacewarpError: NNCF or OpenVINO is missing, or the data can't be read.
    """
    path = shipped_weights(KIND)
    photos = [photo for one in helen_training_data(data).sets for photo in one]
    registrar = FaceRegistrar(Template.load("average"), "face", "cpu", 0.5, "openvino")
    faces = located(photos[:: max(1, len(photos) // _PHOTOGRAPHS)], registrar)
    views = DetailBatches([faces], None, _CALIBRATED_ON, seed=9).batch(0)["images"]
    model = load(path)
    about = {"weights_sha256": file_sha256(path), "licence": model.metadata["licence"]}
    images = torch.from_numpy(np.asarray(views, np.float32))
    return quantize(model.net, images, None, path.with_name(INT8_DETAILS), about)


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    int8 = commands.add_parser("int8", help="write the 8-bit weights")
    int8.add_argument("--data", type=Path, required=True, help="Helen, as for training")
    given = parser.parse_args(words)
    try:
        written = write_int8(given.data)
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main()
