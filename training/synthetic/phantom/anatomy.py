"""What lies where in the phantom's chest at end-diastole: part ids and signal as of a bSSFP cine.

Blood is bright, muscle dark, fat brightest, lungs nearly black. Fat is out of phase with water, as
in bSSFP at the usual repetition times: its value is negative, and a voxel with some of both is dark
in the magnitude, the black line around organs. Around the two ventricles lie
papillary muscles, trabeculae, fat in the grooves, atria and the aortic root above the base, lungs
with vessels, liver, stomach and spleen below, and the chest wall. Frame: `motion`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.training.synthetic.phantom.motion import HeartMotion

_GRAY: Final = {
    "blood": 0.80, "slow blood": 0.72, "wall": 0.25, "lung": 0.055, "vessel": 0.42, "flesh": 0.27,
    "liver": 0.36, "spleen": 0.47, "fat": -0.92, "groove": -0.62, "stomach": 0.58, "air": 0.012,
    "papillary": 0.30,
}  # fmt: skip
_LATTICE_MM: Final = 2.5  # of the texture
_RV_WALL: Final = 1.14  # the ellipsoid around the right ventricle's wall
_TRABECULAE_MM: Final = 1.5  # depth of the trabeculated layer, half blood, counted to the cavity
_PAPILLARY: Final = ((0.95, 0.55, 4.6), (-0.79, 0.50, 4.2))
"""Angle from the lateral wall, share of the length at the middle, radius in mm."""


@dataclass(frozen=True, eq=False)
class Chest:
    """A chest around a heart.

    Attributes:
        motion: the left ventricle's size and motion.
        seed: of the texture and of what lies around the heart.
        body_mm: semiaxes of the trunk around the heart, across and down.
    """

    motion: HeartMotion
    seed: int = 0
    body_mm: tuple[float, float] = (150.0, 118.0)

    @property
    def scale(self) -> float:
        """Size of the right ventricle, which grows with the left."""
        return 0.35 + 0.65 * self.motion.radius_mm / 25.0

    def parts(self, points_mm: FloatArray) -> NDArray[np.uint8]:
        """Return part ids at points ``(..., 3)`` at end-diastole, papillary muscles as cavity."""
        x, y, z = np.moveaxis(points_mm, -1, 0)
        return self._parts(np.hypot(x, y), z, self._right(x, y, z))

    def _parts(self, r: FloatArray, z: FloatArray, right: FloatArray) -> NDArray[np.uint8]:
        below = z >= 0
        cavity = below & (r < self.motion.inner_mm(z))
        whole = below & (r < self.motion.outer_mm(z))
        ids = np.where(below & (right < 1), np.uint8(HeartPart.RV), np.uint8(0))
        ids = np.where(whole, np.uint8(HeartPart.MYOCARDIUM), ids)
        return np.where(cavity, np.uint8(HeartPart.LV), ids)

    def rv_ml(self, contraction: float = 0.0, step_mm: float = 1.5) -> float:
        """Return the volume of the right ventricle, by counting points a step apart."""
        size = self.scale
        x = np.arange(-72 * size, 12 * size, step_mm) + step_mm / 2
        y = np.arange(-54 * size, 54 * size, step_mm) + step_mm / 2
        z = np.arange(0, 90 * size, step_mm) + step_mm / 2
        points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
        ids = self.parts(self.motion.unmoved(points, contraction))
        return float((ids == HeartPart.RV).sum() * step_mm**3 / 1000)

    def picture(self, points_mm: FloatArray) -> tuple[FloatArray, NDArray[np.uint8]]:
        """Return signal and part ids at points ``(..., 3)`` at end-diastole.

        The signal is about 1 at most, and negative in fat.
        """
        x, y, z = np.moveaxis(points_mm, -1, 0)
        r, right = np.hypot(x, y), self._right(x, y, z)
        ids = self._parts(r, z, right)
        fine = self._texture(points_mm)
        gray = self._surroundings(x, y, z, fine)
        gray = self._above_base(gray, x, y, z)
        down = z >= 0
        outer = self.motion.outer_mm(z)
        gray = np.where(down & (right < _RV_WALL) & (r >= outer), _GRAY["wall"], gray)
        blood = _GRAY["blood"] * np.ones_like(gray)
        blood -= 0.10 * np.exp(-(((1 - r / np.maximum(self.motion.inner_mm(z), 1)) * 4) ** 2))
        knots = (right > 0.55) & (fine > 0.9) & (ids == HeartPart.RV)  # trabeculae
        gray = np.where(ids == HeartPart.RV, np.where(knots, 0.5, _GRAY["slow blood"]), gray)
        layer = r > self.motion.inner_mm(z) - _TRABECULAE_MM
        muscle = self._papillary(x, y, z) | (layer & (fine > -0.1))
        gray = np.where(ids == HeartPart.LV, np.where(muscle, _GRAY["papillary"], blood), gray)
        gray = np.where(ids == HeartPart.MYOCARDIUM, _GRAY["wall"], gray)
        return gray * (1 + 0.10 * fine), ids

    def _surroundings(
        self, x: FloatArray, y: FloatArray, z: FloatArray, fine: FloatArray
    ) -> FloatArray:
        """Trunk, lungs and what lies below the diaphragm, without the heart."""
        across, down = self.body_mm
        trunk = np.hypot((x - 12) / across, (y - 8) / down)
        gray = np.full(x.shape, _GRAY["flesh"])
        size = self.scale * (0.30 + 0.70 * np.sqrt(np.clip(1 - (z / (self.motion.end_mm + 12)) ** 2,
                             0, 1)))  # fmt: skip
        heart = np.hypot((x + 12 * size) / (49 * size), y / (43 * size))
        heart = np.minimum(heart, np.hypot(x, y) / (self.motion.outer_mm(z) + 2.5))
        gray = np.where(heart < 1, np.where(fine > -0.2, _GRAY["groove"], 0.34), gray)
        left = np.hypot((x - 62) / 62, (y + 8) / 62)
        front = np.hypot((x + 10) / 105, (y + 62) / 26)
        back = np.hypot((x - 30) / 80, (y - 58) / 26)
        lung = (np.minimum(np.minimum(left, front), back) < 1) & (heart > 1.02) & (trunk < 0.80)
        vessels = lung & (fine > 1.5)
        gray = np.where(lung, np.where(vessels, _GRAY["vessel"], _GRAY["lung"]), gray)
        diaphragm = y - (48 - 0.13 * z + 0.10 * x + 0.0016 * x**2)
        under = (diaphragm > 0) & (trunk < 0.82) & (heart > 0.98)
        liver = under & (x < 32)
        gray = np.where(liver, np.where(fine < -1.6, 0.55, _GRAY["liver"]), gray)
        gray = np.where(under & ~liver, _GRAY["spleen"], gray)
        stomach = np.hypot((x - 62) / 27, (y - 84) / 20) < 1
        gray = np.where(stomach & under, _GRAY["stomach"], gray)
        ribs = np.sin(9 * np.arctan2(y, x) + 0.05 * z) > 0.55
        wall = (trunk >= 0.82) & (trunk < 0.90)
        gray = np.where(wall, np.where(ribs, 0.18, 0.33), gray)
        gray = np.where(trunk >= 0.90, _GRAY["fat"], gray)
        sac = (heart >= 0.97) & (heart < 1.02) & (trunk < 0.82)
        gray = np.where(sac, 0.20, gray)
        return np.where(trunk > 1, _GRAY["air"], gray)

    def _above_base(
        self, gray: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray
    ) -> FloatArray:
        """Atria and great vessels: thin walls around blood, fat between them."""
        above, size = z < 0, self.motion.radius_mm
        left = np.hypot((x - 0.1 * size) / (1.2 * size), (y - 0.35 * size) / (0.85 * size))
        aorta = np.hypot(x + 0.45 * size, y + 0.55 * size) / (0.55 * size)
        atrium = np.hypot((x + 1.9 * size) / (1.0 * size), (y - 5) / (1.3 * size))
        for place, level in ((left, "slow blood"), (atrium, "slow blood"), (aorta, "blood")):
            gray = np.where(above & (place < 1.10), 0.30, gray)
            gray = np.where(above & (place < 1), _GRAY[level], gray)
        return gray

    def _papillary(self, x: FloatArray, y: FloatArray, z: FloatArray) -> NDArray[np.bool_]:
        found = np.zeros(x.shape, dtype=bool)
        inner = self.motion.inner_mm(z)
        for angle, level, radius in _PAPILLARY:
            place = inner - 0.9 * radius
            off = np.hypot(x - place * np.cos(angle), y - place * np.sin(angle))
            along = (z / self.motion.length_mm - level) / 0.24
            found |= (along**2 + (off / radius) ** 2) < 1
        return found

    def _right(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """1 on the surface of the ellipsoid whose part beside the left ventricle is the right."""
        size = self.scale
        across, along = (x + 24 * size) / (35 * size), y / (40 * size)
        return across**2 + along**2 + (np.maximum(z, 0) / (0.86 * self.motion.length_mm)) ** 2

    @cached_property
    def _noise(self) -> NDArray[np.float32]:
        rng = np.random.default_rng([18, self.seed])
        shape = (56, 96, 96)
        coarse, fine = (
            ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
            for sigma in (2.6, 0.9)
        )
        return np.asarray(0.8 * coarse / coarse.std() + 0.6 * fine / fine.std(), dtype=np.float32)

    def _texture(self, points_mm: FloatArray) -> FloatArray:
        """Unevenness that moves with the tissue, of standard deviation 1."""
        where = np.moveaxis(points_mm[..., ::-1], -1, 0) / _LATTICE_MM + 200
        values = ndimage.map_coordinates(self._noise, where, order=1, mode="grid-wrap")
        return np.asarray(values, dtype=np.float64)
