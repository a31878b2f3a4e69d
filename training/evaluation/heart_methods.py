"""Registration methods for two phases of a heart: the guided network, and baselines."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.motion.model_grid import Array3, ModelGrid, model_input
from facewarp.cardiac.motion.orientation import find_heart_roi
from facewarp.cardiac.motion.refinement.refine import ImagePair, refine
from facewarp.cardiac.motion.slice_parts import slice_parts, slices_beside
from facewarp.cardiac.parts import HeartPart
from facewarp.core.geometry import resize_field, resize_image
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.training.config.train_config import WHOLE_GRID
from facewarp.training.dataloading.heart_data import heart_grid
from facewarp.training.datasets.acdc import HeartPatient
from facewarp.training.evaluation.heart_protocols import carry_field

ED, ES = 0, 1
OURS = "facewarp"
_NOTHING = 1e-3


@dataclass(frozen=True, eq=False)
class RegisteredPair:
    """Result of a method on a patient's two phases.

    Attributes:
        fields: (3, D, H, W) voxels of the protocol's grid each: fixed ED, moving ES; and fixed
            ES, moving ED where both directions were asked for.
        parts: (2, D, H, W) uint8 the method's own segmentation of ED and ES; None without.
        seconds: time of the registration.
    """

    fields: tuple[NDArray[np.float32], ...]
    parts: NDArray[np.uint8] | None
    seconds: float


class HeartMethod(Protocol):
    """A registration method for hearts: the model, or a baseline."""

    name: str
    parameters: int
    sha256: str

    def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
        """Register a patient's phases; fields come on the grid given, in both directions or one."""
        ...


class GuidedMethod:
    """The network, given as much of the stack as it was trained on.

    A model that was trained on views of its grid is given the ROI of the heart that
    ``facewarp cine`` finds. One that was trained on its whole grid, as the paper's are, is given
    that grid around the middle of the stack, as the baselines are; so is one without segmentation,
    which can't find a heart.

    Args:
        model: a heart model.
        name: what to call it.
        whole: it was trained on its whole grid; None: as its weights say.
        refined: the fields are refined into one invertible motion, as ``facewarp cine`` does;
            otherwise they are the network's.

    Raises:
        FacewarpError: it is no heart model.
    """

    def __init__(
        self,
        model: Model,
        name: str = OURS,
        *,
        whole: bool | None = None,
        refined: bool = False,
    ) -> None:
        self.model, self.name = model, name
        self.refined = refined and model.config.guided
        if whole is None:
            whole = model.metadata.get("view_shape") == WHOLE_GRID
        self.whole = whole or not model.config.guided
        self.parameters = sum(p.numel() for p in model.net.parameters())
        self.sha256 = model.sha256
        self.shape, self.spacing_mm = heart_grid(model.config)

    def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
        """See `HeartMethod`; the time is that from finding the heart to the fields."""
        began = time.perf_counter()
        own = self._window(patient)
        model = self.model.on_grid(own.shape)
        beside, slices, gray = slices_beside(self.model), None, None
        if beside is None:
            images = torch.from_numpy(model_input(patient.stacked(), own))[:, None]
            seen = finest = model.probabilities(images)
        else:
            volume = replace(patient.images[ED], data=patient.stacked())
            slices = slice_parts(beside, volume, own)
            finest = torch.from_numpy(slices.on_grid(own, own.shape))
            gray = torch.from_numpy(own.sample(volume.data))[:, None]
            seen = resize_image(finest, model.config.feature_shape)
        sides = [ED, ES] if both or self.refined else [ED]
        network = (model.rough() if self.refined else None) or model
        small = network.fields(seen[sides], seen[[1 - side for side in sides]])
        if self.refined:
            pair = ImagePair(finest[:1], finest[1:], gray)
            small = torch.cat(refine(pair, small[:1], small[1:]))
        found = resize_field(small[: 1 + both], own.shape).cpu().numpy()
        seconds = time.perf_counter() - began
        carried = tuple(carry_field(u, own, grid) for u in found)
        if not model.config.guided:
            return RegisteredPair(carried, None, seconds)
        fine = (
            resize_image(seen.cpu(), own.shape).numpy() if slices is None else slices.probabilities
        )
        lies = own if slices is None else slices.grid
        between = grid.from_volume @ lies.to_volume
        there = ModelGrid(lies.shape, lies.spacing_mm, grid.shape, between)
        shares = there.to_volume_grid(fine)
        shares[:, HeartPart.BACKGROUND] += _NOTHING  # beyond the window all are 0
        parts = shares.argmax(axis=1).astype(np.uint8)
        return RegisteredPair(carried, parts, seconds)

    def _window(self, patient: HeartPatient) -> ModelGrid:
        """Return the model's input grid; the middle of the stack where it finds no heart."""
        volume = patient.images[ED]
        if self.whole:
            return ModelGrid.around(volume, self.shape, self.spacing_mm)
        try:
            return find_heart_roi(self.model, volume)
        except FacewarpError:
            return ModelGrid.around(volume, self.shape, self.spacing_mm)


class BaselineMethod:
    """A baseline: one function of two volumes, without labels.

    Args:
        name: what to call it.
        find: gives the fields of ``(D, H, W)`` grey values in [0, 1] on a grid of this spacing
            (x, y, z): fixed into moving and, where asked for, moving into fixed; ``(3, D, H, W)``
            voxels each.
        grid: shape and spacing of the grid it is trained on; None: the protocol's own.
        parameters: number of learnt parameters.
        sha256: of the weights file, "" without.
    """

    def __init__(
        self,
        name: str,
        find: "FindFields",
        grid: tuple[tuple[int, int, int], Array3] | None = None,
        parameters: int = 0,
        sha256: str = "",
    ) -> None:
        self.name, self.parameters, self.sha256 = name, parameters, sha256
        self._find, self._grid = find, grid

    def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
        """See `HeartMethod`; the time begins with the resampling of the volumes."""
        began = time.perf_counter()
        own = grid
        if self._grid is not None:
            own = ModelGrid.around(patient.images[ED], *self._grid)
        fixed, moving = model_input(patient.stacked(), own)
        found = self._find(fixed, moving, own.spacing_mm, both)
        seconds = time.perf_counter() - began
        return RegisteredPair(tuple(carry_field(u, own, grid) for u in found), None, seconds)


FindFields = Callable[
    [NDArray[np.float32], NDArray[np.float32], Array3, bool], Sequence[NDArray[np.float32]]
]
