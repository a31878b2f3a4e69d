"""Encode expressions for the Virtual Motion Capture protocol (https://protocol.vmc.info).

One OSC bundle a frame, marked "immediately": the 52 values and the message that applies them, the
rotations of head and eyes, whether the face is seen, and the time. It is what a performer sends to
a marionette, port 39539 by custom.
"""

from typing import Final

from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.face.expressions.expression_tracker import Expression
from facewarp.live.protocols import osc
from facewarp.live.protocols.rotations import Quaternion, in_unity, turned

NAMINGS: Final = ("arkit", "pascal", "vrm")
"""How the values may be called: ARKit's own names, with a capital as VRM's "perfect sync" clips
are called, or the ten presets that every VRM 0 avatar has."""

# Where a mean person's joints are, m, below the neck and the head: some receivers place bones too.
_PLACES: Final = {
    "Head": (0.0, 0.08, 0.0),
    "LeftEye": (-0.03, 0.06, 0.03),
    "RightEye": (0.03, 0.06, 0.03),
}
_CALIBRATED, _UNCALIBRATED, _NORMAL = 3, 0, 0


def vmc_bundle(expression: Expression | None, time: float, naming: str = "arkit") -> bytes:
    """Encode a frame.

    Args:
        expression: of its face; None where none is seen: values and bones stay as they were.
        time: the frame's, s.
        naming: one of `NAMINGS`.
    """
    clock = osc.message("/VMC/Ext/T", float(time))
    if expression is None:
        return osc.bundle([osc.message("/VMC/Ext/OK", 1, _UNCALIBRATED, _NORMAL, 0), clock])
    state = _CALIBRATED if expression.calibrated else _UNCALIBRATED
    left, right = expression.gaze_deg
    turns = {
        "Head": in_unity(expression.pose.rotation),
        "LeftEye": in_unity(turned(*left)),
        "RightEye": in_unity(turned(*right)),
    }
    values = presets(expression) if naming == "vrm" else named(expression, naming)
    return osc.bundle(
        [
            osc.message("/VMC/Ext/OK", 1, state, _NORMAL, 1),
            clock,
            *(_bone(name, turn) for name, turn in turns.items()),
            *(osc.message("/VMC/Ext/Blend/Val", *one) for one in values.items()),
            osc.message("/VMC/Ext/Blend/Apply"),
        ]
    )


def named(expression: Expression, naming: str) -> dict[str, float]:
    """Return the 52 values by name."""
    values = expression.values.tolist()
    if naming == "pascal":
        return {name[0].upper() + name[1:]: v for name, v in zip(EXPRESSIONS, values, strict=True)}
    return dict(zip(EXPRESSIONS, values, strict=True))


def presets(expression: Expression) -> dict[str, float]:
    """Return the values of the presets that avatars without ARKit's shapes have (VRM 0)."""
    of = expression.__getitem__
    open_, smile = of("jawOpen"), (of("mouthSmileLeft") + of("mouthSmileRight")) / 2
    round_ = max(of("mouthPucker"), of("mouthFunnel"))
    wide = (of("mouthStretchLeft") + of("mouthStretchRight")) / 2
    return {
        "Blink_L": of("eyeBlinkLeft"),
        "Blink_R": of("eyeBlinkRight"),
        "A": open_ * (1 - round_),
        "I": wide * (1 - open_),
        "U": round_ * (1 - open_),
        "E": wide * open_,
        "O": round_ * open_,
        "Joy": smile * (1 - open_),
        "Sorrow": (of("mouthFrownLeft") + of("mouthFrownRight")) / 2,
        "Angry": (of("browDownLeft") + of("browDownRight")) / 2,
    }


def _bone(name: str, turn: Quaternion) -> bytes:
    return osc.message("/VMC/Ext/Bone/Pos", name, *_PLACES[name], *turn)
