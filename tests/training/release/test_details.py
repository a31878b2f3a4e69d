"""8-bit weights of the detail network: calibrated on views of training photographs."""

from types import SimpleNamespace

import pytest

from facewarp.core.weights import INT8_DETAILS, file_sha256, shipped_weights
from facewarp.face.details.patches import PatchLayout
from facewarp.training.details.views import DetailPhoto
from facewarp.training.release import details


def test_ranges_come_from_views_of_photographs_spread_over_the_data(
    template, monkeypatch, tmp_path
):
    frames = PatchLayout(template.landmarks).frames(template.landmarks)
    face = DetailPhoto("average", template.image, frames, template.landmarks, None)
    asked, calibrated = [], []
    data = SimpleNamespace(sets=[list(range(600)), list(range(600, 1000))])
    monkeypatch.setattr(details, "helen_training_data", lambda folder: data)
    monkeypatch.setattr(details, "_CALIBRATED_ON", 12)
    monkeypatch.setattr(details, "FaceRegistrar", lambda *words: None)
    monkeypatch.setattr(details, "located", lambda some, _: asked.extend(some) or [face])
    monkeypatch.setattr(details, "quantize", lambda *words: calibrated.append(words) or words[3])
    path = shipped_weights("face-details")
    assert details.write_int8(tmp_path) == path.with_name(INT8_DETAILS)
    assert asked[:2] == [0, 8]
    assert asked[-1] > 980
    _, images, guide, _, about = calibrated[0]
    assert images.shape == (12, 1, 64, 64)
    assert 0 <= images.min() < 0.3 < 0.7 < images.max() <= 1
    assert guide is None
    assert about["weights_sha256"] == file_sha256(path)
    assert about["licence"]


def test_missing_data_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        details.main(["int8", "--data", str(tmp_path / "none")])
    assert capsys.readouterr().err.startswith("error: ")
