"""Repeatability of strain when the same scan is resampled or rotated slightly.

Each patient of ACDC (ED and ES) is measured as scanned, and again after its pictures were
resampled to pixels 1.25 times as large, to pixels 0.8 times as large, and turned by 5 degrees
either way in the plane and shifted by a third of a pixel. What is printed is the mean over patients
of the absolute difference to the first measurement, its 95th percentile over patients and copies,
and the intraclass correlation ICC(1,1).
Run: python benchmarks/hearts/strain_repeatability.py DATA [--patients 18-20,38-40] [--json]
"""

import argparse
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from facewarp.cardiac.cine import analyse
from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.patient import Cine, find_patients, open_cine
from facewarp.core.model import load

KINDS = {
    "global circumferential": ("global", "circumferential_engineering"),
    "global radial": ("global", "radial_engineering"),
    "global thickening": ("global", "thickening"),
    "segment circumferential": ("segment", "circumferential_engineering"),
    "segment radial": ("segment", "radial_engineering"),
}
COPIES = {"coarser": (1.25, 0.0), "finer": (0.8, 0.0), "+5 deg": (1.0, 5.0), "-5 deg": (1.0, -5.0)}


def copy_of(cine: Cine, scale: float, degrees: float) -> Cine:
    """Resample a volume, keeping its position in the world."""
    volume = cine.volume
    height, width = volume.shape[1:]
    new = round(height / scale), round(width / scale)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pixel = np.linalg.norm(volume.affine[:3, :2], axis=0)
    turn = np.diag(1 / pixel) @ np.array([[cos, -sin], [sin, cos]]) @ np.diag(pixel) * scale
    shift = 1 / 3 if degrees else 0.0
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    first = middle + shift - turn @ ((np.array(new[::-1]) - 1) / 2)
    data = np.empty((*volume.data.shape[:2], *new), np.float32)
    sigma = 0.5 * np.sqrt(max(scale**2 - 1, 0.0))
    for place in np.ndindex(volume.data.shape[:2]):
        smooth = ndimage.gaussian_filter(volume.data[place], sigma) if sigma else volume.data[place]
        flipped = turn[::-1, ::-1]  # rows before columns
        data[place] = ndimage.affine_transform(
            smooth, flipped, first[::-1], output_shape=new, order=3, mode="nearest"
        )
    change = np.eye(4)
    change[:2, :2], change[:2, 3] = turn, first
    return replace(cine, volume=replace(volume, data=data, affine=volume.affine @ change))


def peaks(result: CineResult) -> dict[str, np.ndarray]:
    """Return the strain at end-systole of each kind; NaN for segments not shown."""
    assert result.strain is not None
    found = {}
    for kind, (region, name) in KINDS.items():
        numbers = range(1, 17) if region == "segment" else (0,)
        parts = [result.strain.region(region, n) for n in numbers]
        found[kind] = np.array(
            [np.nan if part is None else getattr(part, name)[result.es] for part in parts]
        )
    return found


def icc(pairs: np.ndarray) -> float:
    """ICC(1,1) of ``(n, 2)`` measurements, one-way random effects."""
    between = 2 * pairs.mean(axis=1).var(ddof=1)
    within = ((pairs[:, 0] - pairs[:, 1]) ** 2 / 2).mean()
    return float((between - within) / (between + within))


def numbers_of(text: str) -> set[int]:
    """Parse numbers such as ``"18-20,38"``."""
    spans = [part.partition("-")[::2] for part in text.split(",")]
    return {n for a, b in spans for n in range(int(a), int(b or a) + 1)}


def main() -> None:
    """Measure all patients and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--patients", default="18-20,38-40,58-60,78-80,98-100")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = numbers_of(options.patients)
    model = load("heart")
    rows: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    patients = [p for p in find_patients(options.data) if int(p.name[-3:]) in wanted]
    for path in patients:
        cine = open_cine(path)
        assert cine.info is not None
        frames = [cine.frames.index(f) for f in (cine.info.ed, cine.info.es)]
        if len(cine.frames) > 2:  # ED and ES of all
            data = cine.volume.data[frames]
            names = tuple(cine.frames[f] for f in frames)
            cine = replace(cine, volume=replace(cine.volume, data=data), frames=names)
        first = peaks(analyse(cine, model))
        for scale, degrees in COPIES.values():
            again = peaks(analyse(copy_of(cine, scale, degrees), model))
            for kind in KINDS:
                rows[kind].append(np.stack([first[kind], again[kind]], axis=-1))
    table = {}
    for kind, found in rows.items():
        pairs = np.concatenate(found)
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        apart = np.abs(pairs[:, 0] - pairs[:, 1])
        table[kind] = {
            "mean": float(pairs[:, 0].mean()),
            "sd_between": float(pairs[:, 0].std()),
            "difference": float(apart.mean()),
            "difference_p95": float(np.percentile(apart, 95)),
            "icc": icc(pairs),
        }
    by_copy = {
        name: {
            kind: float(
                np.nanmean(
                    [np.abs(np.diff(pair)).mean() for pair in rows[kind][index :: len(COPIES)]]
                )
            )
            for kind in list(KINDS)[:3]
        }
        for index, name in enumerate(COPIES)
    }
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    about = {"patients": len(patients), "weights": model.sha256[:8], "machine": machine}
    if options.json:
        print(json.dumps({**about, "strain": table, "copies": by_copy}))
        return
    print("| at ES, engineering, % | mean | between | difference | 95th | ICC |")
    print("|---|---|---|---|---|---|")
    for kind, row in table.items():
        shown = " | ".join(f"{row[key]:.1f}" for key in list(row)[:4])
        print(f"| {kind} | {shown} | {row['icc']:.2f} |")
    print("\n| mean difference | " + " | ".join(list(KINDS)[:3]) + " |")
    print("|---|---|---|---|")
    for name, row in by_copy.items():
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row.values()) + " |")
    print(f"\n{about['patients']} patients, weights {about['weights']}, {machine}")


if __name__ == "__main__":
    main()
