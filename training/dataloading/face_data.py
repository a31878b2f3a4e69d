"""Photographs for training, validation and test of a face model, by folder layout."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.face_augmentation import AugmentConfig
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.datasets.celebamask import load_celebamask
from facewarp.training.datasets.helen import list_images, load_helen
from facewarp.training.datasets.photo import FacePhoto

HOLD_OUT_EVERY = 24
FEWEST = 4


@dataclass
class FaceData:
    """The photographs of a training run.

    Attributes:
        sets: sets of photographs.
        shares: relative share of views from each set; None for shares by size.
        held_out: photographs kept for validation, never trained on.
        sources: (folder, number of photographs trained on).
    """

    sets: list[list[FacePhoto]] = field(default_factory=list)
    shares: list[float] | None = None
    held_out: list[FacePhoto] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)

    @property
    def description(self) -> str:
        """One line: every folder by name, with its number of photographs."""
        return ", ".join(f"{name} ({count})" for name, count in self.sources)

    @property
    def size(self) -> int:
        """Number of photographs trained on."""
        return sum(len(photos) for photos in self.sets)

    def batches(self, config: TrainConfig, workers: int) -> FaceBatches:
        """Return batches of random pairs of views of the photographs."""
        draw = AugmentConfig.as_tested if config.views == "tested" else AugmentConfig.of_strength
        return FaceBatches(
            self.sets,
            config.batch,
            draw(config.augment),
            weights=self.shares,
            seed=config.seed,
            workers=workers,
        )

    def add(self, name: str, photos: list[FacePhoto], *, own_set: bool = False) -> None:
        """Add photographs to train on: as a set of their own, or to the first."""
        if own_set or not self.sets:
            self.sets.append([])
        self.sets[-1 if own_set else 0].extend(photos)
        self.sources.append((name, len(photos)))


def helen_training_data(
    folder: Path,
    *,
    extra: Sequence[Path] = (),
    celebamask: Path | None = None,
    celebamask_share: float = 0.3,
    hold_out: bool = True,
) -> FaceData:
    """Read training photographs with 68 points, or with Smith's part labels.

    Args:
        folder: ``NAME.jpg`` with ``NAME.pts``; Smith's layout (of which the exemplars are taken
            where their list is); or a folder with ``trainset/`` and perhaps ``afw/`` in it.
        extra: further folders of ``NAME.jpg`` with ``NAME.pts``.
        celebamask: further photographs with masks, see `celebamask_training_data`; their
            foreheads are trimmed to the outline that 68 points give.
        celebamask_share: their share of the views, 0 to 1.
        hold_out: keep every 24th photograph of the training set for validation (more often
            where there are fewer than 48). ``afw`` and the further folders are trained on whole.
    """
    data = FaceData()
    if (folder / "trainset").is_dir():
        _add_training_set(data, folder / "trainset", load_helen(folder / "trainset"), hold_out)
        if (folder / "afw").is_dir():
            data.add("afw", load_helen(folder / "afw"))
    else:
        photos = load_helen(folder, _smiths_split(folder, "exemplars"))
        _add_training_set(data, folder, photos, hold_out)
    for further in extra:
        data.add(_name(further), load_helen(further))
    if celebamask is not None:
        if not 0 < celebamask_share < 1:
            raise FacewarpError(
                f"a share of {celebamask_share}", "--celebamask-share", "Give one from 0 to 1."
            )
        masks = _celebamask_folder(celebamask, "train")
        data.add(_name(masks), load_celebamask(masks, trim_forehead=True), own_set=True)
        data.shares = [1 - celebamask_share, celebamask_share]
    return data


def celebamask_training_data(
    folder: Path, *, extra: Sequence[Path] = (), hold_out: bool = True
) -> FaceData:
    """Read training photographs with manual masks.

    Args:
        folder: ``images/`` and ``masks/``, or a folder with such a ``train/`` in it.
        extra: further folders of ``NAME.jpg`` with ``NAME.pts``; with any, the masks' foreheads
            are trimmed to the outline that 68 points give.
        hold_out: as in `helen_training_data`.
    """
    data = FaceData()
    folder = _celebamask_folder(folder, "train")
    photos = load_celebamask(folder, trim_forehead=bool(extra))
    _add_training_set(data, folder, photos, hold_out)
    for further in extra:
        data.add(_name(further), load_helen(further))
    return data


def helen_test_photos(folder: Path) -> tuple[str, list[FacePhoto]]:
    """Read the test photographs, and the name of their split.

    Args:
        folder: ``NAME.jpg`` with ``NAME.pts``; Smith's layout (of which the 100 of its test list
            are taken where it is); or a folder without photographs that has a ``testset/``.
    """
    split = _smiths_split(folder, "testing")
    if split is not None:
        return split, load_helen(folder, split)
    has_own = (folder / "images").is_dir() or (folder.is_dir() and list_images(folder))
    if (folder / "testset").is_dir() and not has_own:
        folder = folder / "testset"
    return _name(folder), load_helen(folder)


def celebamask_test_photos(folder: Path) -> tuple[str, list[FacePhoto]]:
    """Read the photographs of ``images/`` and ``masks/``, or of ``val/``, and the split's name."""
    folder = _celebamask_folder(folder, "val")
    return _name(folder), load_celebamask(folder)


def _add_training_set(
    data: FaceData, folder: Path, photos: list[FacePhoto], hold_out: bool
) -> None:
    if len(photos) < FEWEST:
        raise FacewarpError(
            f"{len(photos)} photographs are too few to train on", folder, f"Give {FEWEST} or more."
        )
    every = min(HOLD_OUT_EVERY, len(photos) // 2)
    kept = [photo for i, photo in enumerate(photos) if not hold_out or i % every]
    data.held_out = photos[::every] if hold_out else []
    data.add(_name(folder), kept)


def _smiths_split(folder: Path, split: str) -> str | None:
    """Read a split of Smith's layout, if the folder has it and the list of that split."""
    has_layout = (folder / "images").is_dir() and (folder / "labels").is_dir()
    return split if has_layout and (folder / f"{split}.txt").is_file() else None


def _celebamask_folder(folder: Path, split: str) -> Path:
    inner = folder / split
    return inner if inner.is_dir() and not (folder / "images").is_dir() else folder


def _name(folder: Path) -> str:
    return folder.resolve().name
