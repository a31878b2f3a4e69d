"""A clip of a batch: tracked once, recorded, and never over what is there."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from facewarp.batch.jobs import work_on
from facewarp.clips import clip_job
from facewarp.clips.clip.extra_outputs import ExtraPatterns
from facewarp.clips.discovery import find_clips
from facewarp.clips.output_check import count_frames
from facewarp.clips.runner import plan_clips
from facewarp.clips.settings import ClipSettings, Part
from facewarp.clips.summary import check_summary
from facewarp.face.effects.factory import make_effect
from facewarp.face.tracking import options
from facewarp.face.tracking.options import TrackerOptions


@dataclass(frozen=True)
class Mesh:
    """An effect with something to tell it from another."""

    opacity: float = 0.5
    texture: str | None = None

    def make(self, model, annotate):
        return make_effect("mesh", opacity=self.opacity)


@pytest.fixture
def clip(talk, folder):
    Path("in").mkdir()
    shutil.copy(talk, "in/talk.mp4")
    return Path("in/talk.mp4")


def job_of(settings=None, **options):
    settings = settings or ClipSettings(Mesh())
    (job,) = plan_clips(find_clips([Path("in")]), "out", "out/{name}.csv", settings, **options)
    return job


def test_a_finished_clip_is_skipped_until_anything_changes(clip):
    shares = []
    first = work_on(job_of(), shares.append)
    assert (first.status, first.error) == ("done", "")
    assert first.summary["frames"] == first.summary["written"] == 10
    assert first.bytes == sum(Path("out", n).stat().st_size for n in ("talk.mp4", "talk.csv"))
    record = json.loads(Path("out/.facewarp/talk.mp4.json").read_text())
    assert set(record["files"]) == {"../talk.mp4", "../talk.csv"}
    before = Path("out/talk.mp4").stat().st_mtime_ns
    again = work_on(job_of())
    assert (again.status, again.summary) == ("skipped", first.summary)
    assert Path("out/talk.mp4").stat().st_mtime_ns == before

    other = work_on(job_of(ClipSettings(Mesh(opacity=0.2))))  # other settings
    assert other.status == "failed"
    assert "not from this input with these settings" in other.error
    assert "--overwrite" in other.error
    assert work_on(job_of(resume=False)).status == "failed"
    assert Path("out/talk.mp4").stat().st_mtime_ns == before

    whole = Path("out/talk.mp4").read_bytes()
    Path("out/talk.mp4").write_bytes(whole[:-1] + b"x")  # of the same size: still opens
    assert work_on(job_of()).status == "skipped"
    Path("out/talk.mp4").write_bytes(bytes(len(whole)))  # of the same size, and opens no more
    assert work_on(job_of()).status == "failed"
    assert work_on(job_of(overwrite=True)).status == "done"
    assert count_frames(Path("out/talk.mp4")) == 10
    clip.touch()  # another input
    assert work_on(job_of()).status == "failed"


def test_the_identity_holds_weights_template_and_files_not_the_device(folder):
    Path("t.png").write_bytes(b"1")
    settings = ClipSettings(Mesh(texture="t.png"))
    told = settings.identity()
    assert len(told["model"]) == len(told["template"]) == 64
    elsewhere = replace(settings, tracking=TrackerOptions(device="cuda"))
    assert elsewhere.identity() == told
    assert settings.absolute().effect.texture == str(Path("t.png").absolute())
    Path("t.png").write_bytes(b"22")
    assert settings.identity() != told


def test_details_reach_the_tracker_and_make_another_result(folder):
    settings = [
        ClipSettings(Mesh(), tracking=TrackerOptions(engine="torch", details=wanted))
        for wanted in (True, False)
    ]
    assert settings[0].identity() != settings[1].identity()
    for one in settings:
        tracker, _ = clip_job._ready(one, one.identity(), one.tracking.engine)
        assert tracker._fitter.sees_details == one.tracking.details


def test_what_changes_passes_is_told_in_them(folder):
    """A file of passes that is whole is kept by --resume only where all of it is the same."""

    def told(settings):
        return settings.outputs_beside(str, resume=True).made_from

    Path("t.png").write_bytes(b"1")
    plain = ClipSettings(Mesh(texture="t.png"), extras=ExtraPatterns(passes="p.#.exr"))
    before = told(plain)
    assert told(replace(plain, tracking=TrackerOptions(device="cuda"))) == before
    for other in (TrackerOptions(faces=1), TrackerOptions(engine="torch")):
        assert told(replace(plain, tracking=other)) != before
    assert told(replace(plain, annotate=True)) != before
    Path("t.png").write_bytes(b"22")
    assert told(plain) != before


def test_names_of_what_ships_win_over_files_here_on_every_machine(folder):
    """A worker of a cluster uses what a run on this machine would."""
    for name in ("face", "average", "tiger"):
        Path(name).write_bytes(b"another's")
    settings = ClipSettings(Mesh(texture="tiger")).absolute()
    named = (settings.tracking.model, settings.tracking.template, settings.effect.texture)
    assert named == ("face", "average", "tiger")
    Path("run").mkdir()
    own = ClipSettings(Mesh(), tracking=TrackerOptions(model="run")).absolute()
    assert own.tracking.model == str(Path("run").absolute())


def test_a_summary_of_somebody_else_is_not_replaced(folder):
    from facewarp.errors import FacewarpError

    Path("summary.csv").write_text("my,own\n")
    with pytest.raises(FacewarpError, match="no summary of facewarp"):
        check_summary(Path(), overwrite=False)
    check_summary(Path(), overwrite=True)


def test_a_number_sign_in_a_clips_name_is_no_number(talk, folder):
    Path("in").mkdir()
    shutil.copy(talk, "in/take #1.mp4")
    Path("out").mkdir()
    Path("out/take #1.mp4").write_bytes(b"mine")
    Path("out/take 21.mp4").write_bytes(b"a neighbor")
    refused = work_on(job_of())
    assert refused.status == "failed"
    assert "the output is there already" in refused.error
    assert Path("out/take #1.mp4").read_bytes() == b"mine"
    Path("out/take #1.mp4").unlink()
    assert work_on(job_of()).status == "done"
    record = json.loads(Path("out/.facewarp/take #1.mp4.json").read_text())
    assert set(record["files"]) == {"../take #1.mp4", "../take #1.csv"}
    assert work_on(job_of()).status == "skipped"
    assert Path("out/take 21.mp4").read_bytes() == b"a neighbor"


def test_numbered_pictures_of_a_clip_are_counted(clip):
    def job():
        settings = ClipSettings(Mesh(), part=Part(end=0.13))
        (one,) = plan_clips(find_clips([Path("in")]), "out/{name}_####.png", None, settings)
        return one

    first = work_on(job())
    assert (first.status, first.error) == ("done", "")
    assert first.summary["written"] == first.summary["frames"] == 4
    assert work_on(job()).status == "skipped"
    Path("out/talk_0002.png").unlink()
    assert work_on(job()).status == "failed"  # and not taken for finished


def test_a_file_that_changes_during_a_batch_is_read_again(clip, monkeypatch):
    made, make = [], options.FaceTracker
    monkeypatch.setattr(clip_job, "_kept", None)
    monkeypatch.setattr(options, "FaceTracker", lambda *a, **k: made.append(1) or make(*a, **k))
    counts = []
    for content in (b"1", None, b"22"):
        if content is not None:
            Path("t.png").write_bytes(content)
        settings = ClipSettings(Mesh(texture="t.png"), part=Part(end=0.05))
        done = work_on(job_of(settings, resume=False, overwrite=True))
        assert (done.status, done.error) == ("done", "")
        counts.append(len(made))
    assert counts == [1, 1, 2]
