"""Batches of hearts: the same for a step, whatever came before; and what is learnt from them."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training.config.overrides import with_overrides
from facewarp.training.config.presets import PRESETS, preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.heart_augmentation import HeartAugment
from facewarp.training.dataloading.heart_batches import HeartBatches
from facewarp.training.dataloading.heart_data import HeartData
from facewarp.training.datasets.acdc import HeartCase, heart_case, load_acdc_patient
from facewarp.training.synthetic.acdc_folders import write_drawn_patient
from facewarp.training.trainer import Trainer
from facewarp.training.validation.hearts import SHOWN, HeartValidator

SPACING = (6.0, 6.0, 12.0)
FLAT = (1, 2, 2)
TINY = ModelConfig(
    kind="heart",
    classes=("background", "rv", "myocardium", "lv"),
    grid_shape=(8, 48, 48),
    spacing_mm=SPACING,
    input_shape=(8, 48, 48),
    field_shape=(8, 24, 24),
    features=FeatureConfig(
        channels=(4, 8, 12), strides=(FLAT, FLAT), decoder=(8,), refine=0, flat=2
    ),
    steps=tuple(
        StepConfig(channels=(8, 12), strides=(FLAT,), control_level=level, box=3, down="stride")
        for level in (1, 0)
    ),
    guidance="probabilities",
)
CONFIG = TrainConfig(
    preset="acdc",
    model=TINY,
    loss=PRESETS["acdc"].loss,
    batch=2,
    steps=10,
    lr=1e-2,
    warmup=2,
    ema=0.5,
    view_shape=(6, 32, 32),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("acdc")
    return [write_drawn_patient(place, number) for number in (1, 2, 15)]


@pytest.fixture(scope="module")
def cases(folders: list[Path]) -> list[HeartCase]:
    return [heart_case(load_acdc_patient(folder), (12, 56, 56), SPACING) for folder in folders[:2]]


def test_a_batch_has_its_shapes(cases: list[HeartCase]) -> None:
    batch = HeartBatches(cases, 3, (6, 32, 32)).batch(0)
    assert sorted(batch) == ["fixed", "fixed_labels", "moving", "moving_labels"]
    for role in ("fixed", "moving"):
        image, labels = batch[role], batch[f"{role}_labels"]
        assert (image.shape, image.dtype) == ((3, 1, 6, 32, 32), torch.float32)
        assert (labels.shape, labels.dtype) == ((3, 6, 32, 32), torch.uint8)
        assert 0 <= image.min() < image.max() <= 1
        assert set(labels.unique().tolist()) == {0, 1, 2, 3}
        assert image.is_contiguous()


def test_fixed_is_diastole_and_moving_systole(cases: list[HeartCase]) -> None:
    batch = HeartBatches(cases, 4, (6, 32, 32), HeartAugment.of_strength(0)).batch(1)
    sizes = [(batch[f"{role}_labels"] == 3).sum((1, 2, 3)) for role in ("fixed", "moving")]
    assert (sizes[0] > sizes[1]).all()


def test_a_batch_depends_on_the_step_and_the_seed_alone(cases: list[HeartCase]) -> None:
    batches = HeartBatches(cases, 2, (6, 32, 32), seed=3)
    later = HeartBatches(cases, 2, (6, 32, 32), seed=3, start=2, workers=2)
    first = list(islice(iter(batches), 5))
    resumed = list(islice(iter(later), 3))
    for step, batch in enumerate(resumed, start=2):
        for name, values in batch.items():
            assert torch.equal(values, first[step][name])
            assert torch.equal(values, batches.batch(step)[name])
    assert not torch.equal(first[0]["fixed"], first[1]["fixed"])
    other = HeartBatches(cases, 2, (6, 32, 32), seed=4)
    assert not torch.equal(first[0]["fixed"], other.batch(0)["fixed"])


def test_nothing_to_make_batches_of_is_refused(cases: list[HeartCase]) -> None:
    with pytest.raises(ValueError, match="there must be cases"):
        HeartBatches([], 2, (6, 32, 32))
    with pytest.raises(ValueError, match="positive batch_size"):
        HeartBatches(cases, 0, (6, 32, 32))


def test_cubes_are_not_shaken_slice_by_slice(cases: list[HeartCase]) -> None:
    thick = HeartData(cases, spacing_mm=(1.8, 1.8, 10.0)).batches(CONFIG, 1).config
    thin = HeartData(cases, spacing_mm=(1.56, 1.56, 1.56)).batches(CONFIG, 1).config
    assert thick == HeartAugment()
    assert (thin.breath_px, thin.wobble_px, thin.cut) == (0, 0, 0)
    assert thin.slices == 6  # about one that was scanned
    assert thin.turn_deg == thick.turn_deg


def test_a_network_is_the_same_on_a_grid_of_another_size() -> None:
    torch.manual_seed(1)
    whole = GuidedRegistration(TINY.on_grid((12, 96, 96))).eval()
    part = GuidedRegistration(TINY.on_grid((10, 64, 64))).eval()
    part.load_state_dict(whole.state_dict())  # its tensors know no grid
    volumes = torch.rand(2, 1, 12, 96, 96)
    cut = volumes[..., 1:11, 16:80, 16:80]  # begins on the lattice of the strides
    with torch.no_grad():
        logits, there = whole.features(volumes), part.features(cut)
        assert logits.shape[2:] == (12, 48, 48)
        assert there.shape[2:] == (10, 32, 32)
        inner = (..., slice(4, 6), slice(14, 18), slice(14, 18))  # as far as no border is seen
        assert torch.allclose(logits[..., 1:11, 8:40, 8:40][inner], there[inner], atol=1e-5)
        found = part(cut[:1], cut[1:])
    assert [field.shape for field in found.fields] == [(1, 3, 10, 32, 32)] * 2
    assert part.config.field_spacing == whole.config.field_spacing == (12, 12, 12)
    with pytest.raises(ValueError, match="does not fit"):
        TINY.on_grid((6, 33, 32))


def test_views_that_do_not_fit_the_network_are_refused() -> None:
    for size in ("6,33,32", "6,32"):
        config = with_overrides(CONFIG, {"view_shape": size})
        with pytest.raises(FacewarpError, match="views can't be so large"):
            _ = config.trained_model


@pytest.mark.slow
def test_a_few_steps_lower_the_loss(
    cases: list[HeartCase], folders: list[Path], tmp_path: Path
) -> None:
    data = HeartData(cases, [load_acdc_patient(folders[2])], "drawn", SPACING)
    trainer = Trainer(CONFIG, data.batches(CONFIG, 1), tmp_path, {})
    losses = []
    validate = HeartValidator(data.held_out, tmp_path)
    trainer.run(validate, lambda report: losses.append(report.terms["loss"]))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert trainer.net.config.grid_shape == (6, 32, 32)
    assert trainer.shipped_net().config.grid_shape == (8, 48, 48)
    scores = validate(trainer.shipped_net(), 10)
    assert tuple(scores) == SHOWN
    assert all(np.isfinite(value) for value in scores.values())
    assert (tmp_path / "validation_10.png").is_file()


@pytest.mark.slow
def test_the_papers_preset_trains_as_it_is(folders: list[Path], tmp_path: Path) -> None:
    config = preset("acdc-paper", {"batch": "1", "steps": "2"})
    assert [step.box for step in config.model.steps] == [5, 3]
    assert (config.model.border, config.optimizer, config.lr) == ("zero", "adam", 1e-3)
    cube = config.model.spacing_mm[0]
    case = heart_case(load_acdc_patient(folders[0]), (64, 128, 128), (cube, cube, cube))
    trainer = Trainer(config, HeartData([case], spacing_mm=(cube,) * 3).batches(config, 1),
                      tmp_path, {})  # fmt: skip
    trainer.run()
    assert trainer.step == 2
    assert (tmp_path / "model.safetensors").is_file()
