"""What goes to each kind of address: from a frame's faces to datagrams.

Programs that move one avatar get one face: the one with the lowest id, until it is lost. A frame
without a face is told where the protocol has a way to say so (VMC, JSON, OSC); the others get
nothing then, and keep the avatar as it was.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from facewarp.errors import FacewarpError
from facewarp.face.expressions.expression_tracker import Expression
from facewarp.live.interfaces import Record
from facewarp.live.outputs.landmark_messages import json_datagrams, osc_datagrams
from facewarp.live.protocols.ifacialmocap import ifacialmocap_text
from facewarp.live.protocols.openseeface import openseeface_packet
from facewarp.live.protocols.vmc import NAMINGS, vmc_bundle
from facewarp.media.frames import Frame

Encode = Callable[[Frame, Sequence[Record], Sequence[Expression]], list[bytes]]


@dataclass(frozen=True)
class Encoder:
    """How faces are encoded for a scheme.

    Attributes:
        encode: from frame, faces and their expressions to datagrams.
        needs_expressions: whether expressions have to be computed for it.
        has_names: whether `?names=` may follow the address.
    """

    encode: Encode
    needs_expressions: bool = True
    has_names: bool = False

    def of_query(self, query: str, target: str) -> Encode:
        """Return what encodes, as an address's query asks for it.

        Raises:
            FacewarpError: there is no such choice.
        """
        if not query:
            return self.encode
        choices = parse_qs(query, keep_blank_values=True)
        names = choices.pop("names", [""])[-1]
        if not self.has_names or choices or names not in NAMINGS:
            fix = f"After vmc://HOST:PORT, ?names= takes {', '.join(NAMINGS)}."
            raise FacewarpError("there is no such choice behind an address", target, fix)
        return partial(_vmc, naming=names)


def _vmc(
    frame: Frame,
    records: Sequence[Record],
    expressions: Sequence[Expression],
    naming: str = NAMINGS[0],
) -> list[bytes]:
    return [vmc_bundle(_first(expressions), frame.time, naming)]


def _openseeface(
    frame: Frame, records: Sequence[Record], expressions: Sequence[Expression]
) -> list[bytes]:
    now = time.time()  # receivers drop what is older than the packet before, as at a file's repeat
    return [openseeface_packet(one, now) for one in expressions]


def _ifacialmocap(
    frame: Frame, records: Sequence[Record], expressions: Sequence[Expression]
) -> list[bytes]:
    first = _first(expressions)
    return [] if first is None else [ifacialmocap_text(first)]


def _plain_json(
    frame: Frame, records: Sequence[Record], expressions: Sequence[Expression]
) -> list[bytes]:
    return json_datagrams(frame, records)


def _first(expressions: Sequence[Expression]) -> Expression | None:
    return min(expressions, key=lambda one: one.face, default=None)


ENCODERS: Final[dict[str, Encoder]] = {
    "udp": Encoder(_plain_json, needs_expressions=False),
    "json": Encoder(json_datagrams),
    "osc": Encoder(osc_datagrams),
    "vmc": Encoder(_vmc, has_names=True),
    "osf": Encoder(_openseeface),
    "ifacialmocap": Encoder(_ifacialmocap),
}
"""Schemes of addresses, and what is sent to them."""
