"""Register each phase of a cine to end-diastole in both directions; inverse consistency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.refinement.refine import (
    ImagePair,
    motion_between,
    refine_coarsely,
    refine_finely,
)
from facewarp.cardiac.motion.slice_parts import SliceParts
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.arrays import FloatArray, PackedArrays
from facewarp.core.fields import (
    compose,
    invert,
    jacobian_determinant,
    sample,
)
from facewarp.core.geometry import pixel_grid, resize_image

Floats = NDArray[np.float32]
Fields = Floats | PackedArrays
Step = Callable[[int], None]

_BATCH: Final = 2  # phases at a time that are segmented
_MANY: Final = 16  # phases, less than which are all asked of the network
_BENT: Final = 0.03  # of the largest volume: a phase further from the mean of those beside it is so
_AWAY_MM: Final = 1.0  # likewise of the heart's middle in the slices
_SETTLED_VOX: Final = 0.25  # an inverse with a larger residual than this is not trusted


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion of the heart between end-diastole and each phase.

    Attributes:
        grid: the fields' grid, in the volume.
        from_ed: ``(T, 3, d, h, w)`` voxels of the grid: defined on end-diastole, points into the
            phase; moves points of end-diastole along, and warps the phase's image back to it.
        to_ed: ``(T, 3, d, h, w)``: defined on the phase, points into end-diastole; warps the labels
            and the image of end-diastole to the phase.
        ed: index of end-diastole, where both are 0.
        inverse_consistency_raw_mm: ``(T, d, h, w)`` inverse-consistency error of the network's own
            fields; the mean of the phases beside it where it was not asked, see `phases_halfway`.
        refined: whether both directions are flows of one velocity field, see
            `refinement`; otherwise they are the network's, reconciled.
    """

    grid: ModelGrid
    from_ed: Fields
    to_ed: Fields
    ed: int
    inverse_consistency_raw_mm: Fields
    refined: bool = False

    def jacobian(self) -> Floats:
        """Return the Jacobian determinant of ``I + grad u`` of each ``from_ed``, ``(T, d, h, w)``.

        The volume of tissue against its volume at end-diastole: the same on any grid.
        """
        return np.stack([self.jacobian_of(phase) for phase in range(len(self.from_ed))])

    def jacobian_of(self, phase: int) -> Floats:
        """Return what `jacobian` does, of one phase, ``(d, h, w)``."""
        found = jacobian_determinant(_tensor(self.from_ed[phase]))[0].numpy()
        return np.asarray(found, dtype=np.float32)

    def inverse_consistency_mm(self, where: NDArray[np.bool_] | None = None) -> Floats:
        """Return the inverse-consistency error ``|u(p) + v(p + u(p))|`` mm.

        Args:
            where: voxels ``(d, h, w)`` that it is asked of; by default all.

        Returns:
            ``(T, N)`` of those voxels; ``(T, d, h, w)`` of all.
        """
        points, shape = self._points(where)
        found = [
            (out := _at(from_ed, points)) + _at(to_ed, points + out)
            for from_ed, to_ed in zip(self.from_ed, self.to_ed, strict=True)
        ]
        return np.stack([_length_mm(one, self.grid).reshape(shape) for one in found])

    def cycle_drift_mm(self, where: NDArray[np.bool_] | None = None) -> Floats:
        """Return the drift of each point of ED after one cycle, mm.

        The point moves from phase to phase, once around, each time by the phase's field back to
        end-diastole and on to the next, so that errors accumulate.

        Args:
            where: voxels ``(d, h, w)`` that it is asked of; by default all.

        Returns:
            ``(N,)`` of those voxels; ``(d, h, w)`` of all.
        """
        start, shape = self._points(where)
        points, count = start, len(self.from_ed)
        for phase in ((self.ed + step) % count for step in range(1, count)):
            points = points + _at(self.from_ed[phase], points)
            points = points + _at(self.to_ed[phase], points)
        return _length_mm(points - start, self.grid).reshape(shape)

    def _points(self, where: NDArray[np.bool_] | None) -> tuple[Tensor, tuple[int, ...]]:
        """Return voxels of the grid ``(1, 3, 1, 1, N)``, and the shape of what is said of them."""
        shape = self.grid.shape
        everywhere = np.ones(shape, dtype=bool) if where is None else where
        points = pixel_grid(shape)[0][:, torch.from_numpy(everywhere)]
        return points[None, :, None, None], shape if where is None else (points.shape[1],)


def _at(field: Floats, points: Tensor) -> Tensor:
    """Sample a field ``(3, d, h, w)`` at points ``(1, 3, 1, 1, N)``."""
    return sample(_tensor(field), points)


def segment(model: HeartModel, images: Floats, step: Step | None = None) -> Floats:
    """Segment each phase: part probabilities ``(T, K, d, h, w)``.

    Args:
        model: a heart model on the images' grid.
        images: ``(T, *grid_shape)`` in 0..1.
        step: called with the number of phases done.
    """
    found = []
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH])[:, None]
        found.append(model.probabilities(batch).cpu().numpy())
        if step:
            step(len(batch))
    return np.concatenate(found)


def track(
    model: HeartModel,
    parts: Floats,
    ed: int,
    grid: ModelGrid,
    step: Step | None = None,
    *,
    refined: bool = True,
    fine: SliceParts | None = None,
    volume: Volume | None = None,
    halfway: Sequence[int] = (),
    moved: Callable[["Motion", int], None] | None = None,
) -> Motion:
    """Register each phase to end-diastole in both directions.

    Each pair is registered on its own, so that no error propagates from phase to phase, but for
    where those begin that lie halfway between two such. The two fields of a pair are predicted
    independently, then refined into one invertible motion, or made inverse-consistent.

    Args:
        model: a heart model on a grid.
        parts: ``(T, K, d, h, w)`` from `segment`.
        ed: index of end-diastole.
        grid: the model's grid in the volume.
        step: called with the number of phases done.
        refined: both directions become flows of one velocity field, see
            `refinement`; otherwise the network's fields are reconciled.
        fine: the parts on the scan's own slices, where there are: refined fields then come on
            the model's whole grid, which is finer than that of its fields.
        volume: the cine, whose texture tells the twist where there are finer parts; None for the
            network's alone.
        halfway: phases whose motion begins as the mean of that to the phases before and after,
            and is refined on their own parts alone: see `phases_halfway`. Without finer parts they
            are registered as the others are.
        moved: called with the motion, which is complete once all phases are, and each phase that
            is in it.
    """
    d, h, w = model.config.field_shape
    network_grid = grid.resized((d, h, w))
    finer = fine if refined else None
    field_grid = network_grid if finer is None else grid
    from_ed = PackedArrays(len(parts), (3, *field_grid.shape))
    to_ed = PackedArrays(len(parts), (3, *field_grid.shape))
    before = PackedArrays(len(parts), field_grid.shape)
    motion = Motion(field_grid, from_ed, to_ed, ed, before, refined)

    def seen(phase: int) -> Tensor:
        found = parts[[phase]] if finer is None else finer.on_grid(grid, grid.shape, [phase])
        return torch.from_numpy(found)

    def gray(phase: int) -> Tensor:
        assert volume is not None
        return torch.from_numpy(grid.sample(volume.data[[phase]]))[:, None]

    network = (model.rough() if refined else None) or model
    halfway = halfway if finer is not None else ()
    at_ed, seen_at_ed = torch.from_numpy(parts[[ed]]), seen(ed)
    gray_at_ed = None if volume is None or finer is None else gray(ed)

    known: dict[int, Tensor | None] = {ed: None}  # velocities on the network's grid

    def register(phase: int) -> None:
        there = torch.from_numpy(parts[[phase]])
        u = network.fields(torch.cat([at_ed, there]), torch.cat([there, at_ed])).cpu()
        out, back = u.chunk(2)
        apart = torch.from_numpy(inverse_consistency_mm(out.numpy(), back.numpy(), network_grid))
        before[phase] = resize_image(apart[:, None], field_grid.shape)[0, 0].numpy()
        if refined:
            both = None if gray_at_ed is None else torch.cat([gray_at_ed, gray(phase)])
            pair = ImagePair(seen_at_ed, seen(phase), both)
            found = refine_coarsely(pair, out, back)
            out, back = refine_finely(pair, found)
            if halfway:
                known[phase] = found.velocity
        else:
            out, back = make_inverse_consistent(out, back)
        from_ed[phase], to_ed[phase] = out[0].numpy(), back[0].numpy()

    def register_halfway(phase: int) -> None:
        between = motion_between(known[phase - 1], known[phase + 1])
        out, back = refine_finely(ImagePair(seen_at_ed, seen(phase)), between)
        before[phase] = np.mean([before[one] for one in (phase - 1, phase + 1) if one != ed], 0)
        from_ed[phase], to_ed[phase] = out[0].numpy(), back[0].numpy()

    asked = [phase for phase in range(len(parts)) if phase != ed and phase not in halfway]
    for work, phases in ((register, asked), (register_halfway, halfway)):
        for phase, _ in zip(phases, side_by_side(work, phases), strict=True):
            if step:
                step(1)
            if moved:
                moved(motion, phase)
    return motion


def phases_halfway(lv: FloatArray, middles_mm: FloatArray, ed: int, es: int | None) -> list[int]:
    """Return the phases whose motion may begin halfway between those of the phases beside them.

    That is every other one of a cycle of many, where the left ventricle's volume and the heart's
    place run evenly; but neither end-diastole nor end-systole, nor the first phase or the last one.

    Args:
        lv: ``(T,)`` volume of the left ventricle, in any unit.
        middles_mm: ``(T, 2)`` of `heart_middles_mm`.
        ed: index of end-diastole.
        es: likewise; None where it is not known.
    """
    if len(lv) < _MANY:
        return []
    bent = np.abs(_off_the_mean(lv[:, None])).max(axis=1) > _BENT * lv.max()
    bent |= np.linalg.norm(_off_the_mean(middles_mm), axis=1) > _AWAY_MM
    return [p for p in range(1, len(lv) - 1) if (p - ed) % 2 and p != es and not bent[p - 1]]


def heart_middles_mm(parts: Floats, grid: ModelGrid) -> FloatArray:
    """Return where the heart's middle lies in its slices in each phase, ``(T, 2)`` x and y, mm.

    Args:
        parts: ``(T, K, d, h, w)`` from `segment`.
        grid: a grid that covers the same place.
    """
    depth, height, width = parts.shape[2:]
    x_mm, y_mm, _ = grid.resized((depth, height, width)).spacing_mm
    heart = 1 - parts[:, HeartPart.BACKGROUND].sum(axis=1, dtype=np.float64) / depth
    moments = heart.sum(axis=1) @ np.arange(width), heart.sum(axis=2) @ np.arange(height)
    mass = np.maximum(heart.sum(axis=(1, 2)), 1e-6)
    return np.stack([moments[0] * x_mm / mass, moments[1] * y_mm / mass], axis=1)


def _off_the_mean(curves: FloatArray) -> FloatArray:
    """Return by how much phases differ from the mean of those beside them, ``(T - 2, n)``."""
    return np.asarray(curves[1:-1] - (curves[:-2] + curves[2:]) / 2, dtype=np.float64)


def make_inverse_consistent(out: Tensor, back: Tensor, rounds: int = 1) -> tuple[Tensor, Tensor]:
    """Make two fields inverse-consistent: each becomes the mean of itself and the other's inverse.

    Args:
        out: ``(B, n, *shape)`` px, from one image into the other.
        back: ``(B, n, *shape)`` px, from the other into the first.
        rounds: iterations.
    """
    for _ in range(rounds):
        inverse_of_back, residual_back = invert(back, iterations=6)
        inverse_of_out, residual_out = invert(out, iterations=6)
        out = torch.where(residual_back < _SETTLED_VOX, (out + inverse_of_back) / 2, out)
        back = torch.where(residual_out < _SETTLED_VOX, (back + inverse_of_out) / 2, back)
    return out, back


def inverse_consistency_mm(out: Floats, back: Floats, grid: ModelGrid) -> Floats:
    """Return the inverse-consistency error ``|u(p) + v(p + u(p))|``, ``(T, d, h, w)`` mm.

    Args:
        out: ``(T, 3, d, h, w)`` voxels of the grid.
        back: ``(T, 3, d, h, w)``.
        grid: the fields' grid.
    """
    return _length_mm(compose(torch.from_numpy(back), torch.from_numpy(out)), grid)


def _tensor(field: Floats) -> Tensor:
    return torch.from_numpy(field)[None]


def _length_mm(field: Tensor, grid: ModelGrid) -> Floats:
    scale = torch.tensor(grid.spacing_mm, dtype=torch.float32).view(1, 3, 1, 1, 1)
    length = (field * scale).square_().sum(1).sqrt_()  # torch's norm is ten times slower here
    return np.asarray(length.numpy(), dtype=np.float32)
