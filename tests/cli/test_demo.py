import json

import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.media.sources import open_source


@pytest.mark.slow
def test_the_demo_tracks_its_clip_within_two_pixels(tmp_path):
    """The bar that the first release set itself: 2 px of the crop against the known motion."""
    out = tmp_path / "demo"
    run = CliRunner().invoke(app, ["demo", "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["point_error_px"] <= 2.0
    assert result["missed_frames"] == 0
    assert result["frames"] == 210
    assert sorted(p.name for p in out.iterdir()) == ["sheet.png", "track.jsonl", "tracked.mp4"]
    with open_source(out / "tracked.mp4") as clip:
        assert sum(1 for _ in clip) == 210
        assert clip.size == (800, 600)
    with open_source(out / "sheet.png") as sheet:
        assert next(iter(sheet)).image.std() > 20
    records = [json.loads(line) for line in (out / "track.jsonl").read_text().splitlines()]
    assert [record["frame"] for record in records] == list(range(210))
    assert {record["state"] for record in records} == {"tracking"}


def test_the_demo_says_where_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "file" / "demo")])
    assert run.exit_code == 1
    assert "demo" in run.output
    assert "error:" in run.output
