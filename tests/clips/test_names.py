"""What is written of each clip of a batch: no two alike, none over an input."""

from dataclasses import replace
from pathlib import Path

import pytest

from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.clips.clip.extra_outputs import ExtraPatterns
from facewarp.clips.discovery import Clip
from facewarp.clips.names import base_folder, holds_field, name_outputs
from facewarp.clips.settings import ClipSettings
from facewarp.errors import FacewarpError

PLAIN = ClipSettings(EffectSelection())


def clips_of(*names):
    return [
        Clip(Path("in") / name, name, "image" if name.endswith(("jpg", "heic")) else "video")
        for name in names
    ]


def written(clips, out="out", data=None):
    return [
        (one.target.as_posix(), None if one.data is None else one.data.as_posix())
        for one in name_outputs(clips, out, data, PLAIN)
    ]


def test_folders_keep_the_tree_and_names_of_one_stem_stay_apart():
    clips = clips_of("a.avi", "a.mp4", "sub/b.mov", "p.jpg", "p.heic")
    assert written(clips, data="d") == [
        ("out/a.avi.mp4", "d/a.avi.jsonl"),
        ("out/a.mp4", "d/a.mp4.jsonl"),
        ("out/sub/b.mov", "d/sub/b.jsonl"),
        ("out/p.jpg", "d/p.jpg.jsonl"),
        ("out/p.heic.jpg", "d/p.heic.jsonl"),
    ]


def test_patterns_name_outputs():
    clips = clips_of("sub/b.mov", "a.avi")
    found = written(clips, "out/{folder}/{name}-mesh{suffix}", "d/{name}.csv")
    assert found == [("out/sub/b-mesh.mov", "d/b.csv"), ("out/a-mesh.mp4", "d/a.csv")]
    assert base_folder("out/x-{name}/y.mp4") == Path("out")
    assert base_folder("{name}.mp4") == Path()


def test_what_is_for_compositors_is_named_by_patterns_too():
    wanted = ExtraPatterns("o/{name}.mov", "p/{name}/x.####.exr", ("{name}.nk",))
    settings = replace(PLAIN, extras=wanted)
    (one,) = name_outputs(clips_of("a.mp4"), "o", None, settings)
    paths = [path.as_posix() for path in one.paths]
    assert paths == ["o/a.mp4", "o/a.mov", "p/a/x.####.exr", "a.nk"]
    assert all(path.is_absolute() for path in one.absolute().paths)
    with pytest.raises(FacewarpError, match="--alpha names the files of one clip"):
        name_outputs(clips_of("a.mp4"), "o", None, replace(PLAIN, extras=ExtraPatterns("o/a.mov")))


def test_a_video_fits_into_numbered_pictures_and_a_picture_into_one():
    found = written(clips_of("sub/b.mov"), "out/{name}/f_%04d.png")
    assert found == [("out/b/f_%04d.png", None)]
    assert written(clips_of("p.jpg"), "out/{name}.png") == [("out/p.png", None)]


def test_a_brace_makes_no_pattern_but_a_field_does():
    assert holds_field("{name}.mp4")
    assert holds_field("out/x{suffix}")
    assert not holds_field("take {1}.mp4")
    assert not holds_field(None)


@pytest.mark.parametrize(
    ("out", "data", "told"),
    [
        ("out/{nmae}.mp4", None, "no {nmae} in patterns"),
        ("out/{folder}.mp4", None, "2 outputs would have the same name"),
        ("out/{name}.png", None, "does not fit into one picture"),
        ("out", "d.csv", "'{name}.csv'"),
        ("in", None, "output and input are the same"),
    ],
)
def test_names_that_cannot_be_are_told(out, data, told):
    with pytest.raises(FacewarpError) as caught:
        name_outputs(clips_of("a.mp4", "b.mp4"), out, data, PLAIN)
    assert told in str(caught.value)
