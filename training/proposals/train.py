"""Train the network that proposes where small faces may be.

``python -m facewarp.training.proposals.train OUT.onnx --data DATA`` learns from scenes
made of the photographs of Helen, AFW and CelebAMask-HQ, whose faces the thorough search labels
first, and writes the network as ONNX.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facewarp.errors import FacewarpError
from facewarp.face.detector import FaceDetector
from facewarp.face.search.proposals import CELL_PX, MEAN, MIDDLE_PX
from facewarp.training.proposals.onnx_file import Convolution, write_onnx
from facewarp.training.proposals.scenes import SIDE, LabelledPhoto, random_scene

_log = logging.getLogger(__name__)

FOLDERS: Final = ("helen/trainset", "helen/afw", "celebamask/train/images")
"""Where photographs lie below the data's folder."""

WIDTHS: Final = ((3, 16, 2), (16, 32, 2), (32, 48, 2), (48, 48, 1), (48, 48, 1))
"""Inputs, outputs and stride of the 3 x 3 convolutions, each with a ReLU after it."""

_BATCH: Final = 12
_EPSILON: Final = 1e-5  # of torch's batch norm
_RATE: Final = 3e-3
_LABELLED_PX: Final = 640  # longer side of a photograph that is labelled
_KEPT_PX: Final = 320  # and of what is kept of it
_SOUGHT_PX: Final = (10.0, 27.0)  # sides of boxes that are to be proposed
_LEFT_OPEN_PX: Final = (7.0, 34.0)  # and that may be
_POSITIVE_WEIGHT: Final = 4.0  # a missed face is worse than a look too many


class ProposalNetwork(nn.Module):
    """Five convolutions: score, center and size of a face for each cell of 8 x 8 px."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            for inputs, outputs, stride in WIDTHS
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _, outputs, _ in WIDTHS)
        self.head = nn.Conv2d(WIDTHS[-1][1], 4, 1)
        bias = torch.zeros(4)
        bias[0] = -4.0  # faces are rare
        self.head.bias = nn.Parameter(bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """Run on (N, 3, H, W) pictures of -1 to 1; (N, 4, H / 8, W / 8)."""
        for conv, norm in zip(self.convolutions, self.norms, strict=True):
            pictures = torch.relu(norm(conv(pictures)))
        found: Tensor = self.head(pictures)
        return found

    def folded(self) -> list[Convolution]:
        """Kernel, bias and stride of each convolution, with the batch norms in them."""
        values = {name: value.detach() for name, value in self.state_dict().items()}
        folded: list[Convolution] = []
        for index, (_, _, stride) in enumerate(WIDTHS):
            norm = {
                name: values[f"norms.{index}.{name}"]
                for name in ("weight", "bias", "running_mean", "running_var")
            }
            gain = norm["weight"] / torch.sqrt(norm["running_var"] + _EPSILON)
            kernel = values[f"convolutions.{index}.weight"] * gain[:, None, None, None]
            bias = norm["bias"] - norm["running_mean"] * gain
            folded.append((kernel.numpy(), bias.numpy(), stride))
        return [*folded, (values["head.weight"].numpy(), values["head.bias"].numpy(), 1)]


def targets(faces: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what the network is to say of a scene.

    Args:
        faces: (N, 3) center and side of each box, px.

    Returns:
        (6, H, W): 0..1 how near a face's center is, x and y of it from the cell's middle in cells,
        log2 of its side over 16 px, 1 where a face's cell is, 1 where the score counts.
    """
    cells = SIDE // CELL_PX
    found = np.zeros((6, cells, cells), np.float32)
    found[5] = 1
    middles = (np.arange(cells) + 0.5) * CELL_PX - 0.5
    for x, y, side in sorted(faces.tolist(), key=lambda face: -face[2]):
        if not (0 <= x < SIDE and 0 <= y < SIDE):
            continue
        dx, dy = (x - middles) / CELL_PX, (y - middles) / CELL_PX
        if not _SOUGHT_PX[0] <= side <= _SOUGHT_PX[1]:
            if _LEFT_OPEN_PX[0] <= side <= _LEFT_OPEN_PX[1]:
                near = (np.abs(dy)[:, None] < 1.5) & (np.abs(dx)[None] < 1.5)
                found[5][near & (found[4] == 0)] = 0
            continue
        spread = max(0.5, 0.25 * side / CELL_PX)
        near = np.exp(-(dx[None] ** 2 + dy[:, None] ** 2) / (2 * spread**2))
        here = (near >= 0.45) | (near == near.max())
        offsets = np.broadcast_to(dx[None], near.shape), np.broadcast_to(dy[:, None], near.shape)
        for channel, values in ((1, offsets[0]), (2, offsets[1])):
            found[channel][here] = values[here]
        found[3][here] = np.log2(side / MIDDLE_PX)
        found[4][here] = 1
        found[5][near > 0.05] = 1
        found[0] = np.maximum(found[0], np.where(near == near.max(), 1.0, near))
    return found


def loss_of(found: Tensor, wanted: Tensor) -> Tensor:
    """Focal loss of the scores (Zhou et al., Objects as Points, 2019) and L1 of place and size.

    Args:
        found: (N, 4, H, W) of the network.
        wanted: (N, 6, H, W) `targets`.
    """
    near, is_face, counts = wanted[:, 0], wanted[:, 4], wanted[:, 5]
    share = torch.sigmoid(found[:, 0]).clamp(1e-5, 1 - 1e-5)
    is_middle = (near == 1).float()
    hit = -torch.log(share) * (1 - share) ** 2 * is_middle * _POSITIVE_WEIGHT
    false = -torch.log(1 - share) * share**2 * (1 - near) ** 4 * (1 - is_middle)
    scores = ((hit + false) * counts).sum()
    places = (torch.abs(found[:, 1:4] - wanted[:, 1:4]).sum(1) * is_face).sum()
    return (scores + 0.5 * places) / is_middle.sum().clamp(min=1)


def labelled_photos(data: Path) -> list[LabelledPhoto]:
    """Read the photographs, and let the thorough search label their faces.

    Args:
        data: folder that holds `FOLDERS`, or some of them.

    Raises:
        FacewarpError: no face is found there.
    """
    photos = []
    with FaceDetector() as detector:
        for file in sorted(file for name in FOLDERS for file in (data / name).glob("*.jpg")):
            read = cv2.imread(str(file))
            if read is None:
                continue
            image = _shrunk(np.ascontiguousarray(read[:, :, ::-1], np.uint8), _LABELLED_PX)
            found = detector.detect(image, thorough=True)
            small = _shrunk(image, _KEPT_PX)
            scale = small.shape[1] / image.shape[1]
            boxes = [(*(scale * np.array(face.box)).tolist(),) for face in found]
            if boxes:
                photos.append(LabelledPhoto(small, tuple(boxes)))
    if not photos:
        raise FacewarpError(
            "no photograph with a face lies there",
            data,
            f"The data's folder holds one of {', '.join(FOLDERS)}.",
        )
    return photos


def _shrunk(image: NDArray[np.uint8], longer: int) -> NDArray[np.uint8]:
    """Return the picture with its longer side at most so many px."""
    scale = longer / max(image.shape[:2])
    if scale >= 1:
        return image
    size = [max(1, round(length * scale)) for length in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def batches(photos: Sequence[LabelledPhoto], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pictures (N, 3, SIDE, SIDE) of -1 to 1 and their `targets`, without end."""
    rng = np.random.default_rng(seed)
    while True:
        scenes = [random_scene(photos, rng) for _ in range(_BATCH)]
        pictures = torch.from_numpy(np.stack([scene.image for scene in scenes])).movedim(3, 1)
        wanted = np.stack([targets(scene.faces) for scene in scenes])
        yield (pictures.float() - MEAN) / MEAN, torch.from_numpy(wanted)


def train(photos: Sequence[LabelledPhoto], steps: int, seed: int = 0) -> ProposalNetwork:
    """Train for so many steps, with one cycle of the learning rate.

    Args:
        photos: labelled.
        steps: how many.
        seed: of the scenes.
    """
    torch.manual_seed(seed)
    net = ProposalNetwork().train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=1e-4)
    mean = 0.0
    for step, (pictures, wanted) in enumerate(islice(batches(photos, seed), steps)):
        share = step / steps
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / 100, 0.5 + 0.5 * np.cos(np.pi * share))
        loss = loss_of(net(pictures.contiguous(memory_format=torch.channels_last)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean += (float(loss.detach()) - mean) * max(0.01, 1 / (step + 1))
        if step % 100 == 0:
            _log.info("step %d of %d: loss %.3f", step, steps, mean)
    return net.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12_200)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    photos = labelled_photos(options.data)
    _log.info("%d photographs", len(photos))
    write_onnx(options.out, train(photos, options.steps).folded())


if __name__ == "__main__":
    main(sys.argv[1:])
