import json

import pytest
from fixtures.engines import QUICKEST
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.cli.demo import why_engine
from facewarp.core.engines.autotune import CHOICES_FILE
from facewarp.media.sources import open_source


@pytest.mark.slow
def test_the_demo_tracks_its_clip_within_two_pixels(tmp_path, monkeypatch):
    """The bar that the first release set itself: 2 px of the crop against the known motion."""
    monkeypatch.setenv("FACEWARP_ENGINE", QUICKEST)
    out = tmp_path / "demo"
    run = CliRunner().invoke(app, ["demo", "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["point_error_px"] <= 2.0
    assert result["missed_frames"] == 0
    assert result["frames"] == 210
    assert result["register_ms"] > 0
    assert result["register_cpu_ms"] > 0
    assert result["engine_choice"] == "named by FACEWARP_ENGINE"
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


def test_the_demo_says_why_its_engine_runs(monkeypatch, tmp_path):
    assert why_engine("onnx", "onnx") == "asked for with --engine"
    monkeypatch.setenv("FACEWARP_ENGINE", "auto")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert why_engine("auto", "openvino") == "the only one here"
    choice = {"key": {"engine": "openvino", "ms": {"torch": 30.0, "openvino": 4.0}}}
    (tmp_path / "facewarp").mkdir(exist_ok=True)
    (tmp_path / "facewarp" / CHOICES_FILE).write_text(json.dumps(choice))
    assert why_engine("auto", "openvino").endswith("ms a frame: torch 30.0, openvino 4.0")
    for able in (True, False):
        monkeypatch.setattr("facewarp.cli.demo.has_avx2", lambda able=able: able)
        assert ("with AVX2" in why_engine("auto", "openvino-int8")) == able
