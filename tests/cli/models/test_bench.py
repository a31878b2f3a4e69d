"""``facewarp bench`` and what it measures with."""

import json

import pytest
import torch
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.core.engines.profiling import matrix_rate, multiply_adds, time_in_turn
from facewarp.core.model import load
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.training.baselines.faces.paper_recipe import PaperRecipe, pooled_spline
from facewarp.training.config.presets import PRESETS


def test_methods_take_turns_in_blocks():
    order = []
    rows = time_in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 11)
    assert [row.name for row in rows] == ["a", "b"]
    assert "".join(order) == ("a" * 12 + "b" * 12) * 2
    assert all(0 < row.median_ms <= row.p95_ms for row in rows)
    assert rows[0].fps == pytest.approx(1000 / rows[0].median_ms)


def test_multiply_adds_are_counted_by_hand():
    net = GuidedRegistration(PRESETS["paper"].model)
    counts = multiply_adds(net)
    assert counts["parts.entry.0"] == 320 * 260 * 5 * 9  # one image
    assert counts["steps.0.down.0.0.0"] == 2 * 160 * 130 * 16 * 16 * 9  # two directions
    assert multiply_adds(net) == counts  # nothing is left hooked
    assert matrix_rate(64, 2) > 0


def test_the_recipe_has_the_papers_shapes():
    torch.manual_seed(0)
    recipe = PaperRecipe()
    features = recipe.features(torch.rand(2, 1, 320, 260))
    assert features.shape == (2, 8, 160, 130)
    field = recipe(features[:1], features[1:])
    assert field.shape == (1, 2, 320, 260)
    assert 0 < field.abs().max() < 1
    assert 2e6 < sum(p.numel() for p in recipe.steps.parameters()) < 3e6  # 1.2 M a step


def test_pooled_splines_are_smooth_and_fall_to_zero_at_the_border():
    dense = pooled_spline(torch.ones(1, 2, 10, 8), (160, 130), 19)
    assert dense[0, 0, 80, 65] == pytest.approx(1, abs=1e-5)
    assert dense[0, 0, 80, 0] == pytest.approx(0.34, abs=0.03)


@pytest.mark.slow
def test_bench_prints_one_object_and_a_table(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    words = ["bench", "--engine", "torch", "--json", "--no-video", "--calls", "10"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["engine"] == "torch"
    assert found["track_fps_720p"] is None
    assert found["weights_sha256"] == load("face").sha256
    assert {"register_ms", "reference_ms", "machine", "limit_ms"} <= found.keys()
    names = [row["name"] for row in found["table"]]
    assert {name.split(",")[0] for name in names if "register" in name} == {"register by torch"}
    assert found["peak_memory_mb"].keys() == {"torch"}
    assert names[0] == "register by torch, both ways"
    assert any("reference" in name for name in names)
    assert "reference takes" in done.stderr


def test_bench_refuses_an_engine_that_there_is_not():
    done = CliRunner().invoke(app, ["bench", "--engine", "tensorrt"])
    assert done.exit_code == 1
    assert "openvino-int8" in done.stderr


def test_bench_refuses_a_landmarker_that_is_not_there(tmp_path):
    done = CliRunner().invoke(app, ["bench", "--landmarker", str(tmp_path / "no.task")])
    assert done.exit_code == 1
    assert "no such file" in done.stderr


@pytest.mark.slow
def test_export_writes_the_files_it_names(tmp_path):
    out = tmp_path / "face.pt"
    done = CliRunner().invoke(
        app, ["export", "face", "--format", "torchscript", "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["output"] == str(out)
    assert out.stat().st_size > 1e6


def test_export_calibrates_8_bit_weights_only(tmp_path):
    done = CliRunner().invoke(app, ["export", "face", "--calibrate", str(tmp_path)])
    assert done.exit_code == 2
    assert "int8" in done.output
