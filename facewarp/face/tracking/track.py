"""Per-face track: its state over frames, and when a track is confirmed or dropped."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import Box, overlap, side_of
from facewarp.face.crop import Crop
from facewarp.face.face import Face, FaceFilter
from facewarp.face.matching.appearance import AppearanceMemory
from facewarp.face.similarity import compose_affine, fit_similarity
from facewarp.face.tracking.registration import crop_around

SAME_FACE = 0.35
"""Overlap of the boxes of one and the same face."""

_RIGID = slice(27, 48)  # iBUG: nose and eyes, which expressions move least
_JUMP = 0.25  # of a face's side: steps longer than that say nothing about the next one
_FACES_PER_S = 4.0  # how many times its own size a face may move in a second unseen


@dataclass(frozen=True)
class TrackerConfig:
    """Thresholds of the tracker: when a track is confirmed, uncertain or lost.

    A confidence is the Dice that the face's parts are likely to have, whatever the weights
    (`tracking.confidence`): a face counts as tracked while half of what is drawn is likely
    to be right, and as gone when a fifth is. What that was measured on, and how often crops
    without a face reach it: docs/decisions/0006-confidence.md.

    Attributes:
        faces: how many faces to follow at most.
        sure: confidence from which a face counts as tracked, and which a further face needs to
            be followed beside others.
        unsure: confidence below which the detector is asked whether there is a face at all.
        gone: confidence below which there is no face, whatever the detector says.
        patience: frames in a row that the detector may miss an unsure face before it is lost.
        patience_s: how long it may miss one at most, where frames are far apart.
        look_every_s: how often to look over the frame for further faces while some are missing.
        search_every_s: how often to search it for small faces while there is none.
        search_beside_every_s: how often to search it for small faces beside those followed.
        remember_s: how long a lost face keeps its id.
        offline: nothing waits for a frame: searches are exhaustive, and go on for as many faces as
            there are when no more are followed, so that it is known how many were left out.
    """

    faces: int = 5
    sure: float = 0.5
    unsure: float = 0.4
    gone: float = 0.2
    patience: int = 3
    patience_s: float = 0.4
    look_every_s: float = 0.5
    search_every_s: float = 1.5
    search_beside_every_s: float = 8.0
    remember_s: float = 5.0
    offline: bool = False


OFFLINE = TrackerConfig(
    look_every_s=0.2, search_every_s=0.5, search_beside_every_s=0.5, offline=True
)
"""For files, with `facewarp.face.tracking.lookback`, which holds as many frames back: nobody is
unseen who is there for half a second, or with a face wider than a sixth for a fifth of one."""


@dataclass
class Track:
    """The track of one face.

    Attributes:
        face: as last seen; smoothed, if it is.
        seen: time of that, s.
        smoother: what smooths and refines it, if anything does.
        step: (2,) how its landmarks moved last, frame px.
        surprise: how far that was from the step before, in sides of the face.
        missed: frames in a row that the detector did not see it when it was asked.
        confirmed: when the registration or the detector was last sure of it, s.
        memory: what it looked like.
        sure: the face and its time before it came to look like another's, or was found again by
            its place alone; None while nothing is in doubt.
    """

    face: Face
    seen: float
    smoother: FaceFilter | None = None
    step: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    surprise: float = 0.0
    missed: int = 0
    confirmed: float = -np.inf
    memory: AppearanceMemory = field(default_factory=AppearanceMemory)
    sure: tuple[Face, float] | None = None
    _chosen: tuple[NDArray[np.float64], Crop] | None = None  # landmarks and the crop for them
    _asked: Crop | None = None

    @property
    def lost(self) -> bool:
        """Whether the face is not there any more."""
        return self.face.state == "lost"

    def next_crop(self) -> Crop:
        """Return the crop for the next frame, predicted by half the last step.

        The crop, once chosen, goes along with eyes and nose: a mouth that opens does not move it.
        """
        if self._chosen is None:
            self._chosen = self.face.landmarks, crop_around(self.face.landmarks)
        landmarks, crop = self._chosen
        moved = fit_similarity(landmarks[_RIGID], self.face.landmarks[_RIGID] + 0.5 * self.step)
        self._asked = Crop(compose_affine(moved, crop.matrix), crop.shape)
        return self._asked

    def move(self, face: Face, time: float) -> None:
        """Update the track with a new registration."""
        if face.crop is not self._asked:
            self._chosen = None
        face = face.changed(id=self.face.id)
        if self.smoother is not None:
            face = self.smoother(face, time)
        moved = face.landmarks.mean(0) - self.face.landmarks.mean(0)
        side = side_of(face.box)
        self.surprise = float(np.linalg.norm(moved - self.step)) / side
        self.step = moved if np.linalg.norm(moved) < _JUMP * side else np.zeros(2)
        self.face, self.seen = face, time

    def lose(self) -> None:
        """Mark the track as lost; its last registration is kept."""
        self.face = self.face.changed(state="lost", confidence=0.0)
        self.step, self.missed = np.zeros(2), 0
        if self.smoother is not None:
            self.smoother.reset()

    def withdraw(self) -> None:
        """Lose the track since it came to be doubted: what it followed since is another face."""
        if self.sure is not None:
            self.face, self.seen = self.sure
        self.sure = None
        self.lose()

    def doubt(self) -> None:
        """Note the face as the last one that is surely this track's, unless one is noted."""
        if self.sure is None:
            self.sure = self.face, self.seen

    def find_again(self, face: Face, time: float) -> None:
        """Resume a lost track."""
        self.move(face, time)
        self.step, self.confirmed = np.zeros(2), time

    def can_be(self, face: Face, time: float) -> bool:
        """Return whether a lost track may be a face found now: near enough, of similar size."""
        sides = side_of(self.face.box), side_of(face.box)
        reach = max(sides) * (1 + _FACES_PER_S * (time - self.seen))
        return max(sides) < 2 * min(sides) and self.distance(face) < reach

    def distance(self, face: Face) -> float:
        """Between the middles of this face's landmarks and another's, frame px."""
        return float(np.linalg.norm(self.face.landmarks.mean(0) - face.landmarks.mean(0)))


def is_among(box: Box, boxes: Iterable[Box]) -> bool:
    """Return whether a box overlaps one of others enough to be the same face."""
    return any(overlap(box, other) > SAME_FACE for other in boxes)
