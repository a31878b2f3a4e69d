"""What ships with heart weights: their card, their licence, and the tables of docs/hearts.md."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facewarp.cardiac.motion.slice_parts import EDGES, EdgeOffsets
from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import file_sha256, load_weights, save_weights
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import HEART_CLASSES, PRESETS
from facewarp.training.release import ship
from facewarp.training.release.heart_tables import main as write_tables
from facewarp.training.release.heart_tables import registration_table, volume_table, with_tables
from facewarp.training.release.model_card import card_of_new_section
from facewarp.training.release.ship import main, ship_card, ship_weights

FLAT = (1, 2, 2)
TINY = ModelConfig(
    kind="heart",
    classes=HEART_CLASSES,
    grid_shape=(16, 128, 128),
    spacing_mm=(1.8, 1.8, 10.0),
    input_shape=(16, 128, 128),
    field_shape=(16, 64, 64),
    features=FeatureConfig(channels=(2, 4), strides=(FLAT,), decoder=()),
    steps=(StepConfig(channels=(4, 4), strides=(FLAT,), control_level=1, box=3),),
)
GROUP: dict[str, Any] = {
    **{"n_pairs": 3, "dice_mean": 91.2, "parts_dice": 93.3, "hd95_mm": 2.5},
    **{"edv_mae_ml": 2.6, "edv_bias_ml": -2.4, "esv_mae_ml": 3.1, "esv_bias_ml": 0.3},
    **{"ef_mae": 1.2, "ef_bias": -0.4, "rv_ef_mae": 4.5, "rv_ef_bias": -3.5},
    **{"mass_mae_g": 6.6, "mass_bias_g": None},
}
PAGE = "".join(f"<!-- {n} -->\nold\n<!-- end of {n} -->\n" for n in ("memwarp", "paper", "volumes"))


def evaluation(sha256: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"dataset": "acdc", "protocol": "memwarp", "split": "validation patients 18-20"},
        **{"n_pairs": 15, "n_volumes": 14, "dice_initial": 62.46, "dice_mean": 88.123},
        **{"dice_rv": 87.0, "dice_myo": 85.0, "dice_lv": 92.3, "parts_dice": 89.9},
        **{"hd95_initial_mm": 10.24, "hd95_mm": 4.4, "sdlogj": 0.051, "sdlogj_strict": 0.21},
        **{"jacobian_std": 0.17, "folds_percent": 0.004, "seconds_per_pair": 1.234},
        **{"edv_mae_ml": 5.1, "edv_bias_ml": -4.6, "esv_mae_ml": 4.2, "esv_bias_ml": 2.1},
        **{"ef_mae": 2.34, "ef_bias": -0.3, "ef_correlation": 0.983},
        **{"rv_edv_mae_ml": 9.0, "rv_edv_bias_ml": 1.0, "rv_esv_mae_ml": 8.0},
        **{"rv_esv_bias_ml": None, "rv_ef_mae": 6.0, "rv_ef_bias": -3.0},
        **{"mass_mae_g": 4.4, "mass_bias_g": 1.2, "slices_sha256": ""},
        **{"parts_dice_rv": 88.8, "parts_dice_myo": 87.7, "parts_dice_lv": 95.5},
        "by_group": {"DCM": GROUP},
        **{"rv_ef_correlation": 0.9, "weights_sha256": sha256, "machine": "some processor"},
    } | changes


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    about = {"preset": "acdc", "step": "5000", "training_data": "acdc: 1-14, 21-34 (28 patients)"}
    save_weights(GuidedRegistration(TINY), folder / "model.safetensors", about)
    return folder


def test_hearts_ship_with_their_licence_and_card(run: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "weights"
    main(["--folder", str(shipped), "weights", str(run), "heart", "--data", "acdc"])
    path = shipped / "heart" / "model.safetensors"
    about = load_weights(path)[1]
    assert about["training_data"] == "acdc"
    assert about["trained_on"] == "acdc: 1-14, 21-34 (28 patients)"
    assert "CC BY-NC-SA 4.0" in about["licence"]
    files = []
    for protocol in ("memwarp", "paper"):
        files.append(tmp_path / f"{protocol}.json")
        found = evaluation(file_sha256(path), protocol=protocol)
        files[-1].write_text(json.dumps(found))
    main(["--folder", str(shipped), "card", "heart", *map(str, files)])
    card = (path.parent / "README.md").read_text("utf-8")
    wanted = [
        *("# heart\n", "registration network for hearts", "Bernard", "CC BY-NC-SA 4.0"),
        *("16x128x128 of 1.8 x 1.8 x 10 mm", "Of these: acdc: 1-14, 21-34 (28 patients)."),
        *("no medical device", "## Limits", "| **Dice** | **88.1** |", "4.40 mm"),
        *("5.1 ml, bias -4.6", "2.3 points, bias -0.3, r = 0.983", "| RV ESV | 8.0 ml |"),
        "`facewarp eval acdc --data ... --protocol paper --model heart`",
    ]
    assert not [text for text in wanted if text not in card]
    assert card.count("### Protocol") == 2


def test_weights_and_data_must_fit(run: Path, tmp_path: Path) -> None:
    with pytest.raises(FacewarpError, match=r"a heart model is not learnt from helen.*from acdc"):
        ship_weights(run, "heart", ["acdc", "helen"], tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_tables_hold_ours_beside_the_published() -> None:
    table = registration_table(evaluation("ab" * 32))
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert "| unregistered | 58.1 | 64.5 | 48.3 | 61.6 | 11.95 | - | - |" in rows
    assert "| MemWarp, labels in training | 89.6 | 89.3 | 86.5 | 93.0 | 3.93 | 0.149 | - |" in rows
    ours = "| **facewarp** | **88.1** | **87.0** | **85.0** | **92.3** | 4.40 | 0.051 | 0.004 |"
    assert rows[-1] == ours
    assert "15 patients, validation patients 18-20" in table
    assert "`abababab`" in table
    paper = registration_table(evaluation("ab" * 32, protocol="paper"))
    assert "| Ha et al. | 77.8 | 77.4 | 73.4 | 82.5 | - | 0.300 | - |" in paper
    assert "| 4.40 | 0.170 | 0.004 |" in paper  # the Jacobian's deviation there
    volumes = volume_table(evaluation("ab" * 32))
    assert "| LV | 5.1 | -4.6 | 4.2 | 2.1 | 2.34 | -0.30 | 0.983 |" in volumes
    assert "| RV | 9.0 | 1.0 | 8.0 | - | 6.00 | -3.00 | 0.900 |" in volumes
    assert "over 14 patients" in volumes


def test_tables_go_where_the_page_has_marks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, found = tmp_path / "hearts.md", tmp_path / "memwarp.json"
    page.write_text(f"before\n{PAGE}after\n")
    found.write_text(json.dumps(evaluation("0" * 64)))
    for _ in range(2):  # again takes the place of before
        write_tables([str(page), str(found)])
    text = page.read_text("utf-8")
    assert text.startswith("before\n<!-- memwarp -->\n| | Dice")
    assert text.endswith("after\n")
    assert text.count("**facewarp**") == 1
    assert "<!-- paper -->\nold" in text
    with pytest.raises(FacewarpError, match="no place for paper"):
        with_tables("nothing", [evaluation("0" * 64, protocol="paper")])
    found.write_text("nonsense")
    with pytest.raises(SystemExit):
        write_tables([str(page), str(found)])
    assert "this is not an evaluation" in capsys.readouterr().err


def test_the_docs_have_places_for_every_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "hearts.md"
    found = [evaluation("0" * 64, protocol=name) for name in ("memwarp", "paper")]
    assert with_tables(page.read_text("utf-8"), found).count("**facewarp**") == 2


def test_a_part_network_of_slices_ships_beside_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, other = tmp_path / "weights", tmp_path / "slices"
    model = PRESETS["acdc-slices"].model
    features = replace(model.features, channels=(8, 8, 8, 8), decoder=(8, 8, 8))
    net = GuidedRegistration(replace(model, features=features))
    about = {"preset": "acdc-slices", "step": "60", "training_data": "acdc: 1-17 (17 patients)"}
    save_weights(net, other / "model.safetensors", about)
    words = ["--folder", str(shipped)]
    main([*words, "weights", str(run), "heart", "--data", "acdc"])
    main([*words, "weights", str(other), "heart-slices", "--data", "acdc"])
    index = json.loads((shipped / "index.json").read_text("utf-8"))
    path = shipped / "heart" / "slices.safetensors"
    assert index["heart-slices"] == {
        "file": "heart/slices.safetensors",
        "sha256": file_sha256(path),
    }
    assert "CC BY-NC-SA" in load_weights(path)[1]["licence"]
    found = tmp_path / "found.json"
    sha256 = file_sha256(shipped / "heart" / "model.safetensors")
    found.write_text(json.dumps(evaluation(sha256)))
    with pytest.raises(FacewarpError, match="of another part network"):
        ship_card("heart", [found], shipped)
    found.write_text(json.dumps(evaluation(sha256, slices_sha256=file_sha256(path))))
    card = ship_card("heart", [found], shipped).read_text("utf-8")
    wanted = ["## The part network of slices", file_sha256(path), "1-17 (17 patients)"]
    assert not [text for text in [*wanted, "4.4 g, bias +1.2"] if text not in card]
    folders = [tmp_path / f"patient{number:03d}" for number in range(1, 21)]
    monkeypatch.setattr(ship, "patient_folders", lambda _data: folders)
    monkeypatch.setattr(ship, "fit_edges", lambda _model, _of, told: EdgeOffsets(0.2, -0.1, told))
    before = load_weights(path)
    main([*words, "edges", "heart-slices", "--data", str(tmp_path), "--patients", "2-4,7"])
    net, about = load_weights(path)
    edges = EdgeOffsets.from_text(about.pop(EDGES))
    assert edges == EdgeOffsets(0.2, -0.1, "4 patients (2-4, 7)")
    assert about == before[1]
    pairs = zip(net.state_dict().values(), before[0].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    beside = (shipped / "heart" / "README.md").read_text("utf-8")
    found.write_text(json.dumps(evaluation(sha256, slices_sha256=file_sha256(path))))
    anew = ship_card("heart", [found], shipped).read_text("utf-8")
    assert "left ventricle +0.20 mm, right -0.10 mm, fitted on 4 patients" in anew
    assert beside == anew  # the section follows its weights, and nothing else is another


def test_a_card_of_other_weights_stays() -> None:
    card = "# heart\n\n## The part network\n\n`aa`\n\n## Limits\n\nsome\n"
    assert card_of_new_section(card, "bb", "## The part network\n\n`cc`") == card
    told = card_of_new_section(card, "aa", "## The part network\n\n`cc`")
    assert told == card.replace("aa", "cc")


def test_the_volumes_stand_by_diagnosis_too() -> None:
    text = volume_table(evaluation("ab" * 32, slices_sha256="cd" * 32))
    assert "LV mass: 4.4 g off, bias 1.2." in text
    assert "weights `abababab` with slices `cdcdcdcd`" in text
    row = text.splitlines()[-1]
    assert row == (
        "| DCM | 3 | 91.2 | 93.3 | 2.50 | 2.6 (-2.4) | 3.1 (0.3) | 1.2 (-0.4) | 4.5 (-3.5) "
        "| 6.6 (-) |"
    )
