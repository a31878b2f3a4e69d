"""Strain against ventricles whose strain is known by formula."""

import csv
from dataclasses import dataclass, replace

import numpy as np
import pytest

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.aha_segments import SEGMENT_NAMES, aha_segments
from facewarp.cardiac.quantification.lv_wall import find_wall, view_to_mm
from facewarp.cardiac.quantification.strain import engineering, wall_strain
from facewarp.cardiac.quantification.strain_intervals import StrainIntervals
from facewarp.cardiac.report.strain_table import peak, strain_summary, write_strain
from facewarp.cardiac.short_axis import to_view

INNER_MM, OUTER_MM = 24.0, 34.0
CENTRE_MM = np.array([86.0, 80.0])
VOLUME = (9, 118, 126)  # voxels of 1.4 x 1.4 x 8 mm
GRID = (10, 48, 48)  # of 3.6 x 3.6 x 8 mm

TURNS = {
    "plain": np.eye(3),
    "apex first": np.diag([1.0, 1.0, -1.0]),
    "turned": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "mirrored": np.diag([-1.0, 1.0, 1.0]),
}


def grid_in(turn, spacing=(3.6, 3.6, 8.0)):
    """The fields' grid laid into the volume, its first slice one above the volume's."""
    to_volume = np.eye(4)
    to_volume[:3, :3] = turn @ np.diag(np.array(spacing) / (1.4, 1.4, 8.0))
    backwards = turn.sum(axis=1) < 0
    to_volume[:3, 3] = np.where(backwards, np.array(VOLUME[::-1]) - 1.0, 0.0)
    to_volume[:3, 3] += turn @ [0, 0, -1]
    return ModelGrid(GRID, spacing, VOLUME, to_volume)


def annulus(grid, inner=INNER_MM, outer=OUTER_MM, right=True):
    """A tube with the right ventricle on its left side, labelled on the volume's grid."""
    matrix = view_to_mm(grid)
    labels = np.zeros(VOLUME, np.uint8)
    seen = to_view(labels, grid.turn)  # a view: painting it paints the labels
    z, y, x = np.indices(seen.shape)
    places = np.stack([x, y, z], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
    away = places[..., :2] - CENTRE_MM
    radius, angle = np.hypot(*np.moveaxis(away, -1, 0)), np.arctan2(away[..., 1], away[..., 0])
    narrow = np.clip(1.1 - places[..., 2] / 90, 0, 1)  # towards the apex
    if right:
        septal = np.abs((np.degrees(angle) - 180 + 180) % 360 - 180) < 60
        seen[septal & (radius < outer + 24)] = HeartPart.RV
    seen[radius < outer] = HeartPart.MYOCARDIUM
    seen[radius < inner * np.sqrt(narrow)] = HeartPart.LV
    return labels


@dataclass(frozen=True)
class Squeeze:
    """``r' = r (1 - a + b r^2)``, turned by ``c + d z + e r``: contraction, thickening, twist."""

    narrow: float = 0.0
    thicken: float = 0.0
    turn: float = 0.0
    twist: float = 0.0
    shear: float = 0.0
    shorten: float = 0.0

    def field(self, grid):
        """(3, d, h, w) voxels of the grid."""
        z, y, x = np.indices(grid.shape, dtype=np.float64)
        x, y, z = (a * s for a, s in zip((x, y, z), grid.spacing_mm, strict=True))
        away = np.stack([x - CENTRE_MM[0], y - CENTRE_MM[1]])
        radius = np.hypot(*away)
        scale = 1 - self.narrow + self.thicken * radius**2
        angle = self.turn + self.twist * z + self.shear * radius
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        moved = [
            cos * away[0] - sin * away[1] - away[0],
            sin * away[0] + cos * away[1] - away[1],
            -self.shorten * z,
        ]
        return np.stack([m / s for m, s in zip(moved, grid.spacing_mm, strict=True)])

    def radius(self, r):
        return r * (1 - self.narrow + self.thicken * r**2)

    def strains(self, r):
        """Green-Lagrange strain, circumferential and radial, at radii."""
        around = 1 - self.narrow + self.thicken * r**2
        outwards = 1 - self.narrow + 3 * self.thicken * r**2
        turned = self.radius(r) * self.shear
        return (around**2 - 1) / 2, (outwards**2 + turned**2 - 1) / 2


BEAT = Squeeze(0.28, 2.2e-4, 0.2, 0.003, -0.004, 0.12)


def strain_of(squeezes, turn=TURNS["plain"], **more):
    grid = grid_in(turn)
    wall = find_wall(annulus(grid, **more), grid)
    fields = np.stack([squeeze.field(grid) for squeeze in squeezes]).astype(np.float32)
    return wall_strain(fields, grid, wall)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_strain_of_a_known_ventricle_within_two_percent(turn):
    """Contraction, thickening and twist together, on the shipped model's own field spacing."""
    found = strain_of([Squeeze(), BEAT], turn)
    assert len(found.wall.slices) == 9
    kinds = [region.kind for region in found.regions]
    assert kinds.count("segment") == 16
    assert kinds.count("slice") == 9
    for region in found.regions:
        part = {
            "global": np.ones(found.segments.ids.shape, bool),
            "level": np.broadcast_to(
                (found.segments.levels == region.number - 1)[:, None], found.segments.ids.shape
            ),
            "segment": found.segments.ids == region.number,
            "slice": np.broadcast_to(
                (found.wall.slices == region.number - 1)[:, None], found.segments.ids.shape
            ),
        }[region.kind]
        radii, weights = found.wall.radii_mm[part], found.wall.weights[part]
        around, outwards = BEAT.strains(radii)
        for values, green, lengths in (
            (around, region.circumferential_green, region.circumferential_engineering),
            (outwards, region.radial_green, region.radial_engineering),
        ):
            assert green[0] == pytest.approx(0, abs=1e-6)
            true = 100 * np.average(values, weights=weights)
            assert green[1] == pytest.approx(true, rel=0.02), region.name
            true = 100 * np.average(np.sqrt(1 + 2 * values) - 1, weights=weights)
            assert lengths[1] == pytest.approx(true, rel=0.02), region.name
    whole = found.region("global")
    assert whole.circumferential_engineering[1] < -5
    assert whole.radial_engineering[1] > 20


def test_wall_thickness_and_thickening():
    found = strain_of([Squeeze(), BEAT])
    middle = found.region("slice", 1)
    inner = INNER_MM  # the first slice's cavity is not narrowed
    assert middle.thickness_mm[0] == pytest.approx(OUTER_MM - inner, rel=0.02)
    true = BEAT.radius(OUTER_MM) - BEAT.radius(inner)
    assert middle.thickness_mm[1] == pytest.approx(true, rel=0.02)
    assert middle.thickening[1] == pytest.approx(100 * (true / (OUTER_MM - inner) - 1), abs=2)


def test_turning_and_shifting_is_no_strain():
    grid = grid_in(TURNS["plain"])
    turned = Squeeze(turn=0.35).field(grid) + np.array([2.0, -1.0, 0.4]).reshape(3, 1, 1, 1)
    found = wall_strain(turned[None].astype(np.float32), grid, find_wall(annulus(grid), grid))
    whole = found.region("global")
    for name in ("circumferential_green", "radial_green", "thickening"):
        assert abs(getattr(whole, name)[0]) < 0.05, name


def test_the_two_strains_of_one_stretch():
    """Everything 10 % longer: 10 % engineering, 10.5 % Green-Lagrange strain, any direction."""
    whole = strain_of([Squeeze(narrow=-0.1)]).region("global")
    assert whole.circumferential_engineering[0] == pytest.approx(10, abs=0.02)
    assert whole.radial_engineering[0] == pytest.approx(10, abs=0.02)
    assert whole.circumferential_green[0] == pytest.approx(10.5, abs=0.02)
    assert engineering(np.array([0.105])) == pytest.approx(0.1)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_segments_are_where_their_names_say(turn):
    """The front of the usual view's top is anterior, the right ventricle's side septal."""
    grid = grid_in(turn)
    wall = find_wall(annulus(grid), grid)
    segments = aha_segments(wall)
    assert segments.model == "16 of AHA's 17 segments"
    middle = wall.points_mm((wall.inner_mm + wall.outer_mm) / 2)[..., :2] - wall.centers_mm[:, None]
    for number, name in SEGMENT_NAMES.items():
        x, y = middle[segments.ids == number].mean(axis=0)
        assert ("anter" in name) == (y < -5), name
        assert ("infer" in name) == (y > 5), name
        assert ("sept" in name) == (x < -5), name
        assert ("lateral" in name) == (x > 5), name
    shares = [(segments.ids == n).sum() for n in range(1, 17)]
    assert len(set(shares[:12])) == 1
    assert len(set(shares[12:])) == 1
    levels = ["basal", "mid", "apical"]
    z = [wall.inner_mm[segments.levels == n].mean() for n in range(3)]
    assert z == sorted(z, reverse=True)  # the cavity narrows to the apex
    assert [SEGMENT_NAMES[n].split()[0] for n in (1, 7, 13)] == levels


def test_insertions_are_where_the_right_ventricle_joins():
    grid = grid_in(TURNS["plain"])
    wall = find_wall(annulus(grid), grid)
    degrees = np.degrees(wall.insertions)
    np.testing.assert_allclose(degrees, np.broadcast_to([120, 240], degrees.shape), atol=4)
    assert np.degrees(wall.septum) == pytest.approx(180, abs=2)


def test_a_stack_without_apex_has_no_apical_segments():
    grid = grid_in(TURNS["plain"])
    labels = annulus(grid)
    labels[5:] = 0  # the scan's last slices do not show the heart
    wide = grid_in(TURNS["plain"])
    segments = aha_segments(find_wall(labels, wide))
    assert segments.numbers == tuple(range(1, 13))
    assert "no apical segments" in " ".join(segments.notes)
    assert segments.model == "12 of AHA's 17 segments"


def test_missing_segments_are_noted_or_left_out():
    grid = grid_in(TURNS["plain"])
    alone = find_wall(annulus(grid, right=False), grid)
    assert "no right ventricle" in " ".join(aha_segments(alone).notes)
    assert find_wall(np.zeros(VOLUME, np.uint8), grid) is None
    cavity_only = np.where(annulus(grid) == HeartPart.LV, HeartPart.LV, 0).astype(np.uint8)
    assert find_wall(cavity_only, grid) is None
    labels = annulus(grid)
    side = labels[:3, :, 75:]
    side[side == HeartPart.MYOCARDIUM] = HeartPart.BACKGROUND
    open_wall = find_wall(labels, grid)
    assert not open_wall.valid[:3].all()
    assert open_wall.valid[4:].all()
    assert (open_wall.weights[~open_wall.valid] == 0).all()


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_the_wall_is_where_it_is_however_much_background_is_around_it(turn):
    grid = grid_in(turn)
    labels = annulus(grid)
    shift = np.eye(4)
    shift[:2, 3] = 40, 30
    wide = np.pad(labels, ((0, 0), (30, 25), (40, 0)))
    there = ModelGrid(GRID, grid.spacing_mm, wide.shape, shift @ grid.to_volume)
    wall, same = find_wall(labels, grid), find_wall(wide, there)
    for name in ("z_mm", "centers_mm", "inner_mm", "outer_mm", "septum", "insertions"):
        np.testing.assert_allclose(getattr(same, name), getattr(wall, name), atol=1e-9)
    np.testing.assert_array_equal(same.valid, wall.valid)


def test_the_table_has_peaks_and_their_time(tmp_path):
    half = Squeeze(BEAT.narrow / 2, BEAT.thicken / 2)
    strain = strain_of([half, Squeeze(), half, BEAT, half])  # ED is the second phase
    path = tmp_path / "strain.csv"
    write_strain(path, strain, (1, 2, 3, 4, 5), 1, 0.05)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * len(strain.regions)
    at_ed = [list(row.values())[5:] for row in rows if row["phase"] == "2"]
    assert not any(value.startswith("-0.000") or value == "nan" for row in at_ed for value in row)
    whole = [row for row in rows if row["region"] == "global"]
    assert [row["time_from_ed_s"] for row in whole] == [
        "0.2000", "0.0000", "0.0500", "0.1000", "0.1500",
    ]  # fmt: skip
    shown = [float(row["circumferential_green_lagrange_percent"]) for row in whole]
    np.testing.assert_allclose(shown, strain.region("global").circumferential_green, atol=1e-3)
    told = strain_summary(strain, (1, 2, 3, 4, 5), 1, 0.05)
    first = told["regions"][0]
    assert first["peak_circumferential_engineering_phase"] == 4
    assert first["time_to_peak_radial_engineering_s"] == pytest.approx(0.1)
    assert first["peak_circumferential_engineering_percent"] == pytest.approx(
        strain.region("global").circumferential_engineering[3]
    )
    assert peak(np.array([0.0, 3, 1]), True, 0).time_s is None


def test_intervals_are_columns_of_the_table_and_limits_of_peaks(tmp_path):
    strain = strain_of([Squeeze(), BEAT])
    copies = tuple(strain_of([Squeeze(), replace(BEAT, narrow=n)]) for n in (0.27, 0.28, 0.29))
    path = tmp_path / "strain.csv"
    write_strain(path, strain, (1, 2), 0, 0.05, StrainIntervals(strain, copies))
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    whole = next(row for row in rows if row["region"] == "global" and row["phase"] == "2")
    assert whole["thickness_mm_low"] == whole["thickness_mm_high"] == ""
    for column in ("circumferential_engineering_percent", "radial_engineering_percent"):
        low, value, high = (float(whole[f"{column}{end}"]) for end in ("_low", "", "_high"))
        assert low < value < high
        assert value - low == pytest.approx(high - value, abs=2e-3)
    told = strain_summary(strain, (1, 2), 0, 0.05, StrainIntervals(strain, copies))
    assert told["intervals"] == {"level": 0.95, "copies": 3}
    low, high = told["regions"][0]["peak_circumferential_engineering_percent_interval"]
    assert low < told["regions"][0]["peak_circumferential_engineering_percent"] < high
    alone = strain_summary(strain, (1, 2), 0, 0.05, StrainIntervals(strain, copies[:1]))
    assert alone["regions"][0]["peak_circumferential_engineering_percent_interval"] is None
    without = strain_summary(strain, (1, 2), 0, 0.05)
    assert without["intervals"] is None
    assert not any("interval" in name for name in without["regions"][0])


@pytest.mark.slow
def test_through_the_whole_analysis(beating, knowing, nifti_of, plain):
    """A beating heart's mid-ventricular slices, against the equations of its motion."""
    path = nifti_of("cine.nii.gz", beating.images, plain @ beating.to_heart, time_step=0.15)
    result = analyse_cine(path, knowing)
    strain = result.strain
    heart, amount = beating.heart, float(beating.contraction[result.es])
    assert strain.segments.model == "16 of AHA's 17 segments"
    for z in (2, 3, 4):
        region = strain.region("slice", z + 1)
        level = beating.to_heart[2, 2] * z + beating.to_heart[2, 3]
        inner = heart.radius_mm * np.sqrt(1 - (level / heart.length_mm) ** 2)
        outer = (heart.radius_mm + heart.wall_mm) * np.sqrt(
            1 - (level / (heart.length_mm + heart.wall_mm)) ** 2
        )
        radii = np.linspace(inner, outer, 200)
        moved = np.sqrt(radii**2 - (1 - (1 - heart.narrowing * amount) ** 2) * inner**2)
        around = 100 * np.average(moved / radii - 1, weights=radii)
        found = region.circumferential_engineering[result.es]
        assert found == pytest.approx(around, rel=0.12)
        thicker = 100 * ((moved[-1] - moved[0]) / (outer - inner) - 1)
        assert region.thickening[result.es] == pytest.approx(thicker, rel=0.15)
        assert region.circumferential_engineering.argmin() == result.es
