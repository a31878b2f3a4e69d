"""Shipping weights: their tensors stay, their papers are complete and speak of them."""

import json
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest
import torch
from fixtures.points import write_pts

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import file_sha256, int8_weights, load_weights, save_weights
from facewarp.errors import FacewarpError
from facewarp.face.tracking.confidence import KEY, Calibration
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.dataloading.face_data import helen_training_data
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.evaluation.faces import PARTS
from facewarp.training.release import ship
from facewarp.training.release.model_card import SAME_TENSORS
from facewarp.training.release.ship import main, ship_card, ship_weights

TINY = ModelConfig(
    classes=FACE_CLASSES,
    features=FeatureConfig(channels=(2, 4), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(4, 4), strides=(2,), control_level=1, box=3),),
)


def evaluation(sha256: str, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": "helen",
        "split": "testset",
        "n_pairs": 230,
        "seed": 0,
        "dice_initial": 19.1,
        "dice_mean": 79.27,
        "dice_per_part": dict.fromkeys(PARTS, 79.27),
        "contour_px": 1.987,
        "landmark_px": 3.2,
        "jacobian_std": 0.3,
        "folds_percent": 0.05,
        "parts_dice": 83.0,
        "seconds_per_pair": 0.0301,
        "weights_sha256": sha256,
        "machine": "some processor",
    } | changes


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with weights."""
    folder = tmp_path / "run"
    about = {"preset": "face", "step": "4000", "training_data": "trainset (833)"}
    save_weights(GuidedRegistration(TINY), folder / "model.safetensors", about)
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def test_weights_are_shipped_unchanged_with_their_papers(run: Path, shipped: Path) -> None:
    shipped.mkdir()
    (shipped / "index.json").write_text('{"heart": {"file": "h", "sha256": "0"}}')
    path = ship_weights(run, "face", ["helen", "afw"], shipped)
    assert path == shipped / "face" / "model.safetensors"
    net, about = load_weights(path)
    before, _ = load_weights(run / "model.safetensors")
    pairs = zip(net.state_dict().values(), before.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert net.config == before.config
    assert about["classes"].startswith("background, face, brow_left")
    assert (about["preset"], about["step"]) == ("face", "4000")
    assert about["training_data"] == "helen, afw"
    assert "research use" in about["licence"]
    index = json.loads((shipped / "index.json").read_text("utf-8"))
    assert list(index) == ["face", "heart"]
    assert index["face"] == {"file": "face/model.safetensors", "sha256": file_sha256(path)}


def test_shipping_the_same_weights_again_keeps_their_hash(run: Path, shipped: Path) -> None:
    path = ship_weights(run, "face", ["helen"], shipped)
    sha256, written_at = file_sha256(path), path.stat().st_mtime_ns
    ship_weights(run, "face", ["helen"], shipped)
    assert (file_sha256(path), path.stat().st_mtime_ns) == (sha256, written_at)
    ship_weights(run, "face", ["helen", "afw"], shipped)
    assert file_sha256(path) != sha256


def test_data_that_nobody_knows_is_refused(run: Path, shipped: Path) -> None:
    for data in ([], ["helen", "mine"]):
        with pytest.raises(FacewarpError, match="no data set is called"):
            ship_weights(run, "face", data, shipped)
    assert not shipped.exists()


def test_the_card_has_data_licence_and_limits(
    run: Path, shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--folder", str(shipped)]
    main([*words, "weights", str(run), "face", "--data", "helen", "afw"])
    sha256 = file_sha256(shipped / "face" / "model.safetensors")
    assert sha256 in capsys.readouterr().out
    helen, masks = tmp_path / "helen.json", tmp_path / "masks.json"
    helen.write_text(json.dumps(evaluation(sha256)))
    masks.write_text(json.dumps(evaluation(sha256, dataset="celebamask", landmark_px=None)))
    main([*words, "card", "face", str(helen), str(masks)])
    card = (shipped / "face" / "README.md").read_text("utf-8")
    wanted = ["# face\n", sha256, "Helen", "AFW", "Who should not use it", "Research use:"]
    wanted += ["## Limits", "| **Dice** | **79.3** |", "1.99 px", "0.050 %", "30.1 ms"]
    wanted += ["`facewarp eval helen --data .../testset --model face --seed 0`", "some processor"]
    assert not [text for text in wanted if text not in card]
    assert "MaskGAN" not in card  # it was not trained on that
    assert card.count("landmark distance") == 1
    assert max(map(len, card.split("\n\n"))) < 1500

    ship_weights(run, "face", ["helen"], shipped)
    assert not (shipped / "face" / "README.md").exists()  # it told of others


def test_the_card_names_the_weights_that_training_started_from(
    run: Path, shipped: Path, tmp_path: Path
) -> None:
    net, metadata = load_weights(run / "model.safetensors")
    about = {key: value for key, value in metadata.items() if key not in ("format", "config")}
    save_weights(net, run / "model.safetensors", {**about, "started_from": "ab" * 32})
    path = ship_weights(run, "face", ["helen"], shipped)
    measured = tmp_path / "helen.json"
    measured.write_text(json.dumps(evaluation(file_sha256(path))))
    main(["--folder", str(shipped), "card", "face", str(measured)])
    card = (shipped / "face" / "README.md").read_text("utf-8")
    assert "| started from | earlier weights, sha256 `abababababab` |" in card


def test_what_a_confidence_is_worth_goes_into_the_weights(
    run: Path, shipped: Path, tmp_path: Path, photo: FacePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photographs it is measured on are those that training kept out."""
    folder = tmp_path / "helen" / "trainset"
    folder.mkdir(parents=True)
    for index in range(8):
        PIL.Image.fromarray(photo.image).save(folder / f"{index}.png")
        write_pts(folder / f"{index}.pts", photo.landmarks)
    measured: list[str] = []

    def calibrated(model: Model, photos: list[FacePhoto]) -> Calibration:
        measured.extend(p.path.stem for p in photos)
        return Calibration(((0, 0), (0.9, 0.8), (1, 0.85)))

    monkeypatch.setattr(ship, "calibrated", calibrated)
    path = ship_weights(run, "face", ["helen"], shipped)
    before = load_weights(path)
    (shipped / "face" / "README.md").write_text("a card")
    main(["--folder", str(shipped), "confidence", "face", "--data", str(folder.parent)])
    assert measured == [p.path.stem for p in helen_training_data(folder.parent).held_out]
    assert 0 < len(measured) < 8
    net, about = load_weights(path)
    curve = Calibration.from_text(about.pop(KEY))
    assert curve.knots == ((0, 0), (0.9, 0.8), (1, 0.85))
    assert about == before[1]  # no card tells of the file with another curve: it is not named
    pairs = zip(net.state_dict().values(), before[0].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    index = json.loads((shipped / "index.json").read_text("utf-8"))
    assert index["face"]["sha256"] == file_sha256(path)
    assert not (shipped / "face" / "README.md").exists()


def test_a_curve_fitted_anew_keeps_the_card_and_the_8_bit_weights(
    run: Path, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ship_weights(run, "face", ["helen"], shipped)
    first = file_sha256(path)
    measured = tmp_path / "helen.json"
    measured.write_text(json.dumps(evaluation(first)))
    ship_card("face", [measured], shipped)
    card, int8 = path.with_name("README.md"), path.with_name("int8")
    told = card.read_text("utf-8")
    int8.mkdir()
    (int8 / "parts.xml").write_text(f'<net><weights_sha256 value="{first}" /></net>')
    files = {"parts.xml": file_sha256(int8 / "parts.xml")}
    (int8 / "about.json").write_text(json.dumps({"weights_sha256": first, "files": files}))
    monkeypatch.setattr(ship, "helen_training_data", lambda folder: SimpleNamespace(held_out=[]))
    for highest in (0.8, 0.9):
        curve = Calibration(((0, 0), (1, highest)))
        monkeypatch.setattr(ship, "calibrated", lambda model, photos, curve=curve: curve)
        main(["--folder", str(shipped), "confidence", "face", "--data", str(tmp_path)])
        now = file_sha256(path)
        assert int8_weights(path, now) == int8
        assert load_weights(path)[1][SAME_TENSORS] == first
        lines = card.read_text("utf-8").splitlines()
        new = [line for line in lines if line not in told.splitlines()]
        assert new[0] == f"| sha256 | `{now}` |"
        assert new[1].startswith(f"| tensors | those of sha256 `{first[:8]}`")
        assert len(new) == 2
        assert len(lines) == len(told.splitlines()) + 1


def test_an_evaluation_of_other_weights_is_refused(
    run: Path, shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ship_weights(run, "face", ["helen"], shipped)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(evaluation("0" * 64)))
    with pytest.raises(FacewarpError, match=r"of other weights.*eval again with --model face"):
        ship_card("face", [other], shipped)
    with pytest.raises(SystemExit) as end:
        main(["--folder", str(shipped), "card", "face", str(tmp_path / "nope.json")])
    assert end.value.code == 1
    assert "error: this is not an evaluation" in capsys.readouterr().err
    with pytest.raises(FacewarpError, match="needs an evaluation"):
        ship_card("face", [], shipped)


def test_cards_of_the_shipped_weights_speak_of_them() -> None:
    folder = Path(str(resources.files("facewarp.assets"))) / "weights"
    for entry in json.loads((folder / "index.json").read_text("utf-8")).values():
        card = (folder / entry["file"]).with_name("README.md").read_text("utf-8")
        assert entry["sha256"] in card
        assert file_sha256(folder / entry["file"]) == entry["sha256"]
        assert {"training_data", "licence", "classes"} <= load_weights(folder / entry["file"])[
            1
        ].keys()
