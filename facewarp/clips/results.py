"""What came out of a clip, for programs, tables and people."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facewarp.clips.clip.track_job import Tally, TrackJob
    from facewarp.media.pipeline import Pass

Result = dict[str, Any]
"""Result of an input, for programs."""


def result_of(done: "Pass", tally: "Tally", job: "TrackJob", most: int) -> Result:
    """Return the result of a pass.

    Args:
        done: the pass.
        tally: what was found.
        job: what was asked for.
        most: how many faces were followed at once, at most.
    """
    return {
        "input": done.source,
        "output": done.output,
        "data": job.data,
        "alpha": job.extras.alpha,
        "passes": job.extras.passes,
        "tracks": [target.path for target in job.extras.tracks],
        "expressions": job.extras.expressions,
        "frames": done.frames,
        "frames_without_face": tally.frames_without,
        "faces": len(tally.faces),
        "faces_left_out": max(0, tally.most_seen - most),
        "states": {name: tally.states[name] for name in ("tracking", "uncertain", "lost")},
        "mean_confidence": tally.mean_confidence,
        "seconds": done.seconds,
        "fps": done.fps,
        "truncated": done.truncated,
        "notes": job.source.notes,
    }


def warnings_of(done: "Pass", tally: "Tally", most: int) -> list[str]:
    """Return what a user should know of a result.

    Args:
        done: the pass.
        tally: what was found.
        most: how many faces were followed at once, at most.
    """
    told = []
    if tally.mean_confidence is None:
        told.append(f"no face was found in {done.source}")
    if done.truncated:
        told.append(f"{done.source} is damaged or cut short; what could be read was tracked")
    if tally.most_seen > most:
        told.append(
            f"{tally.most_seen} faces were seen at once in {done.source}, {most} of them were "
            f"followed; give --faces {tally.most_seen} or --faces all"
        )
    return told
