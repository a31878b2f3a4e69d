"""Families of baseline networks: one way to build, train and load those of faces and of hearts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from facewarp.training.baselines.network_training import (
    BaselineNetwork,
    BaselineSettings,
    Terms,
    read_network,
    train_baseline_network,
)
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batches


class FamilyData(Protocol):
    """A training set of photographs or patients."""

    @property
    def description(self) -> str:
        """One line: what it is, and how many."""
        ...

    def batches(self, config: TrainConfig, workers: int) -> Batches:
        """Return augmented views, made by `workers` threads."""
        ...


Net = TypeVar("Net", bound=BaselineNetwork)
Data = TypeVar("Data", bound=FamilyData)


@dataclass(frozen=True)
class NetworkFamily(Generic[Net, Data]):
    """Baseline networks that are trained on the same kind of data.

    Attributes:
        names: of the networks.
        defaults: of their training.
        build: makes a network from its name and the settings that its weights were saved with.
        new_network: makes a network to be trained, of a name, settings and a width (None: its
            own); the seed of the settings draws its weights.
        read_data: reads the training set in a folder, without any of it held out.
        train_config: gives the configuration of a training by name and settings.
        objective: gives the loss terms of a network, which may depend on the first batch.
    """

    names: tuple[str, ...]
    defaults: BaselineSettings
    build: Callable[[str, Mapping[str, Any]], Net]
    new_network: Callable[[str, BaselineSettings, int | None], Net]
    read_data: Callable[[Path], Data]
    train_config: Callable[[str, BaselineSettings], TrainConfig]
    objective: Callable[[Net, Batches], Terms]

    def train(
        self,
        net: Net,
        name: str,
        data: Data,
        folder: Path,
        settings: BaselineSettings,
        *,
        workers: int = 1,
        **options: Any,
    ) -> Path:
        """Train a network, and return its weights file.

        Args:
            net: a new network, or one of a run that is resumed.
            name: of the baseline.
            data: to train on.
            folder: of the run.
            settings: of the training.
            workers: threads that make batches.
            **options: of `train_baseline_network`, which also says what it raises.
        """
        config = self.train_config(name, settings)
        batches = data.batches(config, workers)
        terms = self.objective(net, batches)
        about = {"training_data": data.description}
        return train_baseline_network(net, terms, batches, folder, config, about, **options)

    def load(self, path: Path, name: str) -> Net:
        """Read a network's weights.

        Raises:
            FacewarpError: no such file, of something else, or a package it needs is missing.
        """
        return read_network(path, name, self.build)
