"""Who is who: do faces keep their ids where they pass, hide, leave, are cut, lit and sorted anew?

    python benchmarks/face/identities.py [--casts N] [--only TEXT] [--plain] [--json]

Heads of photographs with masks and of clips (`celebamask`, `video` of $FACEWARP_DATA; without them
the shipped portrait in several skins) are moved along known paths (`composed/_moving_heads.py`) and
tracked as `facewarp track --faces all` does. A face counts while half of it or more is seen; hidden
ones are neither asked for nor held against.

- IDF1: share of faces that bear the id that is theirs, of a one-to-one assignment of ids to people
  (Ristani et al. 2016, Performance measures and a data set for multi-target multi-camera tracking).
- switches and fragments: how often a person's id changes, and how often a track breaks off and goes
  on (Bernardin and Stiefelhagen 2008, Evaluating multiple object tracking performance: the CLEAR
  MOT metrics); boxes match at an IoU of 0.5.
- taken: percent of faces under an id that was another's first; what is painted on them is meant for
  somebody else.
- new: ids that people got beyond their first one.
- unseen: percent of faces without an id.
- error: of the landmarks, percent of the distance of the outer eye corners: median and 90th
  percentile. Truth is what the head by itself was registered to be.
"""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from composed._cut_out_heads import Head, heads_of_clips, made_heads, photographs
from composed._moving_heads import Scene, TrueFace, scenes

from facewarp.core.model import Model, load
from facewarp.face.boxes import box_around, overlap
from facewarp.face.face import Face
from facewarp.face.tracking.lookback import Lookback
from facewarp.face.tracking.track import OFFLINE
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame
from facewarp.system.machine import machine

MATCH = 0.5  # IoU
SEEN = 0.5  # share of a face

Shown = list[tuple[dict[int, TrueFace], list[Face]]]  # truth and faces of each frame


@dataclass
class Counts:
    """What was counted in one clip or several."""

    faces: int = 0
    found: int = 0
    boxes: int = 0
    own: int = 0
    switches: int = 0
    fragments: int = 0
    taken: int = 0
    new: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sums."""
        return Counts(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(Counts))
        )

    @property
    def idf1(self) -> float:
        """Percent of faces under the id that is theirs."""
        return 200 * self.own / max(self.faces + self.boxes, 1)


@dataclass(frozen=True)
class Result:
    """Counts of a scene, errors of its landmarks in percent, and seconds of processor time."""

    counts: Counts
    errors: NDArray[np.float64]
    seconds: float

    def row(self) -> dict[str, float]:
        """Return the line of the table."""
        counts = self.counts
        faces = max(counts.faces, 1)
        middle, most = np.percentile(self.errors, (50, 90)) if len(self.errors) else (0.0, 0.0)
        return {
            "IDF1": counts.idf1,
            "switches": counts.switches,
            "fragments": counts.fragments,
            "taken %": 100 * counts.taken / faces,
            "new": counts.new,
            "unseen %": 100 * (1 - counts.found / faces),
            "error %": float(middle),
            "90 %": float(most),
            "processor s": self.seconds,
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--casts", type=int, default=4, help="by how many casts a scene is played")
    parser.add_argument("--only", action="append", help="scenes whose name holds this")
    parser.add_argument(
        "--plain",
        action="store_true",
        help="leave out the refinement of lips, lids and skin, on which ids do not depend",
    )
    parser.add_argument("--occlusion", choices=("on", "off"), default="on")
    parser.add_argument("--model", default="face")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    wanted = [
        scene for scene in scenes() if any(text in scene.name for text in options.only or [""])
    ]
    if not wanted:
        parser.error(f"no scene's name holds any of {options.only}")
    model = load(options.model, engine=options.engine)
    troupes = own_heads(model)
    results: dict[str, Result] = {}
    for scene in wanted:
        played = [
            measured(scene, cast, model, occlusion=options.occlusion == "on", plain=options.plain)
            for cast in casts(scene, troupes, options.casts)
        ]
        results[scene.name] = _sum(played)
    results["all"] = _sum(list(results.values()))
    title = f"model {model.sha256[:12]}, {machine()}"
    if options.json:
        print(json.dumps({"title": title, "scenes": {k: r.row() for k, r in results.items()}}))
    else:
        show(results, title)


def own_heads(model: Model) -> list[list[Head]]:
    """Return the heads at hand: photographs, clips; without any, those of the portrait."""
    folder = Path(os.environ.get("FACEWARP_DATA", ""))
    troupes = []
    if (folder / "celebamask" / "val").is_dir():
        troupes.append(photographs(folder / "celebamask" / "val", model, 24))
    if (folder / "video").is_dir():
        troupes.append(heads_of_clips(folder / "video", model))
    return [troupe for troupe in troupes if len(troupe) > 3] or [made_heads(model)]


def casts(scene: Scene, troupes: Sequence[Sequence[Head]], count: int) -> Iterable[list[Head]]:
    """Yield casts of a scene, by turns of one troupe and the other."""
    for index in range(count):
        rng = np.random.default_rng(index)
        fit = [troupe for troupe in troupes if len(troupe) >= scene.people] or troupes[:1]
        troupe = fit[index % len(fit)]
        cast = [troupe[i] for i in rng.permutation(len(troupe))[: scene.people]]
        yield [cast[0], cast[0].mirrored()] if scene.twins else cast


def measured(
    scene: Scene, cast: Sequence[Head], model: Model, *, occlusion: bool, plain: bool = False
) -> Result:
    """Track a scene and count."""
    truths: list[dict[int, TrueFace]] = []

    def frames() -> Iterable[Frame]:
        for index, (time, picture, truth) in enumerate(scene.frames(cast)):
            truths.append(truth)
            drawn.append(process_time())
            yield Frame(picture, time, index)
            drawn[-1] = process_time() - drawn[-1]

    drawn: list[float] = []  # when each frame was handed out, then how long that took
    tracker = FaceTracker(
        model=model,
        faces=16,
        config=OFFLINE,
        smooth=True,
        photometric=not plain,
        occlusion=occlusion,
        details=not plain,
    )
    with tracker:
        found = [faces for _, faces in Lookback(tracker)(frames())]
    counts, errors = counted(list(zip(truths, found, strict=True)))
    return Result(counts, errors, float(sum(drawn)))


def counted(shown: Shown) -> tuple[Counts, NDArray[np.float64]]:
    """Count what became of ids, and measure the errors of landmarks in percent."""
    counts, errors = Counts(), []
    together: Counter[tuple[int, int]] = Counter()
    last: dict[int, int] = {}  # of each person the last id
    broken: dict[int, bool] = {}
    owner: dict[int, int] = {}
    ids: dict[int, set[int]] = defaultdict(set)
    for truth, faces in shown:
        there = [face for face in faces if face.state != "lost"]
        people = list(truth)
        ious = np.array(
            [[overlap(box_around(truth[p].landmarks), f.box) for f in there] for p in people]
        ).reshape(len(people), len(there))
        pairs = _matched(ious, people, there, last)
        whom = {people[row]: there[column] for row, column in pairs}
        asked = [person for person in people if truth[person].seen >= SEEN]
        hidden = len([person for person in whom if person not in asked])
        counts.faces += len(asked)
        counts.boxes += len(there) - hidden
        for person in asked:
            face = whom.get(person)
            if face is None:
                broken[person] = person in last
                continue
            counts.found += 1
            together[person, face.id] += 1
            counts.switches += person in last and last[person] != face.id
            counts.fragments += broken.get(person, False)
            broken[person] = False
            last[person] = face.id
            ids[person].add(face.id)
            counts.taken += owner.setdefault(face.id, person) != person
            eyes = np.linalg.norm(np.subtract(*truth[person].landmarks[[36, 45]]))
            apart = np.linalg.norm(face.landmarks - truth[person].landmarks, axis=1)
            errors.append(100 * float(apart.mean() / eyes))
    counts.new = sum(len([i for i in mine if owner[i] == p]) - 1 for p, mine in ids.items())
    counts.new += sum(all(owner[i] != p for i in mine) for p, mine in ids.items())
    counts.own = _assigned(together)
    return counts, np.array(errors)


def _matched(
    ious: NDArray[np.float64], people: Sequence[int], faces: Sequence[Face], last: dict[int, int]
) -> list[tuple[int, int]]:
    """Match people and faces: those of the frame before first, then by overlap (CLEAR MOT)."""
    good = np.where(ious >= MATCH, ious, 0.0)
    for row, person in enumerate(people):
        for column, face in enumerate(faces):
            if good[row, column] and last.get(person) == face.id:
                good[row, column] += 1.0
    rows, columns = linear_sum_assignment(-good)
    return [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if good[r, c]]


def _assigned(together: Counter[tuple[int, int]]) -> int:
    """Return for how many faces the best one-to-one assignment of ids to people is right."""
    if not together:
        return 0
    people = sorted({person for person, _ in together})
    ids = sorted({one for _, one in together})
    table = np.array([[together[person, one] for one in ids] for person in people])
    rows, columns = linear_sum_assignment(-table)
    return int(table[rows, columns].sum())


def _sum(results: Sequence[Result]) -> Result:
    total = Counts()
    for one in results:
        total = total + one.counts
    errors = np.concatenate([one.errors for one in results]) if results else np.zeros(0)
    return Result(total, errors, sum(one.seconds for one in results))


def show(results: dict[str, Result], title: str) -> None:
    """Print the table."""
    rows: dict[str, dict[str, Any]] = {name: one.row() for name, one in results.items()}
    columns = list(next(iter(rows.values())))
    table = Table("scene", *columns, title=title)
    for name, row in rows.items():
        table.add_row(name, *(str(v) if isinstance(v, int) else f"{v:.1f}" for v in row.values()))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
