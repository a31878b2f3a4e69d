"""Groupwise registration: the average of many faces, on the shape that is their mean."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.core import fields
from facewarp.core.geometry import resize_field
from facewarp.core.model import Model, template_guidance
from facewarp.face.parts import MIRROR_PARTS, mirrored_points

FloatArray = NDArray[np.float32]

SKIN = np.array([150.0, 182.0, 146.0, 124.0], np.float32)  # mean grey, red, green, blue
SPREAD = 34.0  # of grey values over a face


@dataclass(frozen=True)
class Member:
    """One face of the group, on the grid of the face crop.

    Attributes:
        image: (320, 260) uint8 grey.
        color: (320, 260, 3) uint8 RGB.
        labels: (320, 260) uint8 part ids.
        landmarks: (68, 2) crop px, or None.
    """

    image: NDArray[np.uint8]
    color: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    landmarks: NDArray[np.float64] | None


@dataclass(frozen=True)
class Average:
    """The group's average; mirror-symmetric where mirror images were averaged too.

    Attributes:
        image: (320, 260) uint8 grey.
        color: (320, 260, 3) uint8 RGB.
        probabilities: (8, 320, 260) float32.
        landmarks: (68, 2) crop px.
        drift_px: mean length of the mean field over the face in each round: how far the shape
            still was from the mean shape when the round began.
    """

    image: NDArray[np.uint8]
    color: NDArray[np.uint8]
    probabilities: FloatArray
    landmarks: NDArray[np.float64]
    drift_px: list[float]


def average_face(
    model: Model,
    members: Sequence[Member],
    start: FloatArray,
    rounds: int = 2,
    batch: int = 16,
    advance: Callable[[], None] = lambda: None,
    mirror: bool = True,
    settle_px: float | None = None,
) -> Average:
    """Average faces, and their mirror images, without leaning towards any one of them.

    Each round registers every face with the current template and averages pictures and labels on
    the template's grid. All rounds but the last then move the template by the mean of all fields,
    so that its shape becomes the mean shape (Guimond et al. 2000). The landmarks are those points
    that the fields carry, on average over the faces, to the faces' own landmarks.

    Args:
        model: a face model.
        members: the faces; some of them with landmarks.
        start: (8, 320, 260) part probabilities of a first shape, e.g. drawn from mean landmarks.
        rounds: how often to register everything.
        batch: faces registered at once.
        advance: called after each batch of each round.
        mirror: whether mirror images are averaged too; without them the average is as asymmetric
            as the faces are.
        settle_px: a round that brings the drift down by less is the last one, and the round of the
            least drift counts; None goes through all rounds and takes the last.

    Raises:
        ValueError: no member has landmarks.
    """
    known = [member.landmarks for member in members if member.landmarks is not None]
    if not known or rounds < 1:
        raise ValueError("a group needs at least one face with landmarks, and one round")
    center = np.mean(known, axis=0)
    if mirror:
        center = (center + mirrored_points(center, members[0].image.shape[1])) / 2
    probabilities = start
    drifts: list[float] = []
    is_last = False
    while not is_last:
        total = _Sums(model, probabilities, mirror)
        for chunk in _chunks(members, batch):
            total.add(chunk)
            advance()
        drift = total.drift()
        is_settled = settle_px is not None and bool(drifts) and drifts[-1] - drift < settle_px
        if settle_px is None or drift <= min(drifts, default=drift):
            best = total
        drifts.append(drift)
        is_last = is_settled or len(drifts) == rounds
        if not is_last:
            probabilities = total.template(move=True)[2]
    image, color, probabilities = best.template(move=False)
    return Average(image, color, probabilities, best.carried_to(center), drifts)


class _Sums:
    """Running sums over a round."""

    def __init__(self, model: Model, probabilities: FloatArray, mirror: bool = True) -> None:
        self.model = model
        self.mirror = mirror
        self.shape = model.config.grid_shape
        self.guidance = torch.from_numpy(template_guidance(model, probabilities))
        self.count = 0
        self.field = torch.zeros(1, len(self.shape), *self.shape)
        self.picture = torch.zeros(1, 4, *self.shape)  # grey, then red, green, blue
        self.labels = torch.zeros(1, model.config.n_classes, *self.shape)

    def add(self, members: Sequence[Member]) -> None:
        """Register members, and their mirror images if these count, and add them up."""
        both = list(members)
        if self.mirror:
            both = [view for member in members for view in (member, _mirror(member))]
        images = torch.from_numpy(np.stack([m.image for m in both])).float()[:, None] / 255
        parts = self.model.probabilities(images)
        template = self.guidance.expand(len(both), -1, -1, -1)
        onto = resize_field(self.model.fields(template, parts), self.shape)
        self.field += onto.sum(0, keepdim=True)
        self.picture += fields.warp(_standardised(both), onto).sum(0, keepdim=True)
        ids = torch.from_numpy(np.stack([m.labels for m in both]))
        k = self.model.config.n_classes
        onehot = (ids[:, None] == torch.arange(k).view(1, -1, 1, 1)).float()
        self.labels += fields.warp(onehot, onto).sum(0, keepdim=True)
        self.count += len(both)

    def drift(self) -> float:
        """Mean length of the mean field over the face, px."""
        face = (self.labels[0, 0] / self.count) < 0.5
        return float((self.field / self.count).norm(dim=1)[0][face].mean())

    def template(self, move: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray]:
        """Grey and colour picture and labels, moved to the mean shape if they are to be."""
        mean = self.field / self.count
        shape = fields.invert(mean)[0] if move else torch.zeros_like(mean)
        picture = fields.warp(self.picture / self.count, shape)[0].movedim(0, -1).numpy()
        labels = fields.warp(self.labels / self.count, shape)[0].numpy()
        if self.mirror:
            picture = (picture + picture[:, ::-1]) / 2
            labels = (labels + labels[MIRROR_PARTS][..., ::-1]) / 2
        labels = labels / labels.sum(0, keepdims=True)
        eight_bit = np.asarray(np.rint(picture).clip(0, 255), dtype=np.uint8)
        return (
            np.ascontiguousarray(eight_bit[..., 0]),
            np.ascontiguousarray(eight_bit[..., 1:]),
            labels.astype(np.float32),
        )

    def carried_to(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the template (N, 2) that the mean field carries to ``points``."""
        inverse, _ = fields.invert(self.field / self.count)
        found = fields.warp_points(torch.from_numpy(points).float()[None], inverse)[0]
        own = found.double().numpy()
        if not self.mirror:
            return np.asarray(own)
        return np.asarray((own + mirrored_points(own, self.shape[1])) / 2)


def _mirror(member: Member) -> Member:
    width = member.image.shape[1]
    return Member(
        np.ascontiguousarray(member.image[:, ::-1]),
        np.ascontiguousarray(member.color[:, ::-1]),
        np.ascontiguousarray(MIRROR_PARTS[member.labels[:, ::-1]]),
        None if member.landmarks is None else mirrored_points(member.landmarks, width),
    )


def _standardised(members: Sequence[Member]) -> Tensor:
    """Grey and colour with the skin's mean and spread made alike: no face outshines the others."""
    stack = []
    for member in members:
        picture = np.dstack([member.image, member.color]).astype(np.float32)
        skin = member.labels > 0
        mean, spread = picture[skin].mean(0), picture[skin, 0].std()
        stack.append((picture - mean) / max(float(spread), 8.0) * SPREAD + SKIN)
    return torch.from_numpy(np.stack(stack)).movedim(-1, 1)


def _chunks(members: Sequence[Member], size: int) -> Iterator[Sequence[Member]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]
