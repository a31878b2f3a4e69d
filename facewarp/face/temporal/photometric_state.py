"""What the photometric refinement keeps of one face from frame to frame, and its time constants."""

from dataclasses import dataclass
from typing import Final

from facewarp.face.similarity import Affine
from facewarp.face.temporal.image_alignment import Floats

USUAL_S: Final = 1 / 30
"""What passes between two frames whose times do not tell."""
CLEAR: Final = 0.92
"""Share of the face below the brows of which a face shows more that nothing hides."""
MORE: Final = 0.02
"""Of that share: by so much it rises where something which hid the face goes away."""


@dataclass(frozen=True)
class PhotometricConfig:
    """Time constants of the photometric refinement (docs/decisions/0103-skin.md).

    Attributes:
        reference_s: over how long the person's own picture is averaged.
        anchor_s: in how long the map is drawn to the registration where both agree about.
        disagreement_s: where they do not.
        features_s: at eyes and mouth while they are not seen as they were.
        agreement: distance of both up to which they agree, in parts of the template's side.
        relearn_s: how long skin looks another way before its picture is learnt anew, and how long
            no more of a face that was hidden when it came is seen before it is followed as it is.
        settled_s: how long such a face is free before it is followed.
    """

    reference_s: float = 0.6
    anchor_s: float = 15.0
    disagreement_s: float = 0.5
    features_s: float = 0.32
    agreement: float = 0.05
    relearn_s: float = 1.5
    settled_s: float = 0.3


@dataclass
class Past:
    """What is kept from the last frame.

    Attributes:
        time: s.
        matrix: of its crop.
        skin: W, (2h, 2w, 2) px of its crop.
        bias: (2h, 2w, 2) px of its crop, by what W is corrected to agree with the registration.
        semantic: the same by the registration.
        reference: (4h, 4w) the person's own picture in template space, without light.
        seen: (h, w) 0..1.
        unseen_s: (h, w) for how long.
        known: (h, w) 1 where the picture shows the face, 0 where it shows what hid it at first.
        free: largest share of the face that was seen since the map began.
        doubt_s: how long the map is still drawn to the registration; for a map that began behind a
            thing, whose registration was wrong.
    """

    time: float
    matrix: Affine
    skin: Floats
    bias: Floats
    semantic: Floats
    reference: Floats
    seen: Floats
    unseen_s: Floats
    known: Floats
    free: float
    doubt_s: float


@dataclass
class Hidden:
    """A face that something was before when it came: no map of it has begun.

    Attributes:
        time: of the last frame, s.
        most: largest share of it that was seen.
        steady_s: for how long no more of it was seen.
        free_s: for how long it is free.
    """

    time: float
    most: float
    steady_s: float = 0.0
    free_s: float = 0.0

    def is_over(self, shown: float, time: float, config: PhotometricConfig) -> bool:
        """See the next frame: is the face free by now, or does what hides it belong to it?

        Args:
            shown: share of the face that nothing hides.
            time: of the frame, s.
            config: time constants.
        """
        dt = time - self.time if time > self.time else USUAL_S
        rises = shown > self.most + MORE
        self.time, self.most = time, shown if rises else self.most
        self.steady_s = 0.0 if rises else self.steady_s + dt
        self.free_s = 0.0 if shown < CLEAR else self.free_s + dt
        return self.free_s >= config.settled_s or self.steady_s >= config.relearn_s
