"""Write the tables of docs/hearts.md from evaluations, beside published results.

``facewarp eval acdc --data DIR --protocol memwarp --json > memwarp.json``, the same with ``paper``,
and ``python -m facewarp.training.release.heart_tables docs/hearts.md memwarp.json paper.json`` put
the numbers between the page's marks.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_text
from facewarp.training.evaluation.evaluation_json import number, read_evaluation


@dataclass(frozen=True)
class Published:
    """A row of a published table.

    Attributes:
        method: its name.
        dice: mean, RV, myocardium, LV, percent; None where not published.
        hd95_mm: 95 % Hausdorff distance.
        spread: SDlogJ by MemWarp's protocol, the Jacobian's standard deviation by the paper's.
    """

    method: str
    dice: tuple[float | None, float | None, float | None, float | None]
    hd95_mm: float | None = None
    spread: float | None = None


def _mean(value: float) -> tuple[float | None, float | None, float | None, float | None]:
    return value, None, None, None


PUBLISHED = {
    "paper": (
        Published("unregistered", _mean(61.2)),
        Published("VoxelMorph", _mean(70.7)),
        Published("Krebs et al.", _mean(71.5)),
        Published("LCC-Demons", _mean(73.7)),
        Published("Ha et al.", (77.8, 77.4, 73.4, 82.5), None, 0.3),
    ),
    "memwarp": (
        Published("unregistered", (58.14, 64.50, 48.33, 61.60), 11.95),
        Published("TransMorph, without labels", (74.97, 73.08, 71.49, 80.34), 9.44, 0.045),
        Published("VoxelMorph, without labels", (75.26, 73.10, 71.80, 80.88), 9.33, 0.044),
        Published("VoxelMorph, labels in training", (81.34, 82.03, 75.35, 86.64), 6.87, 0.082),
        Published("LKU-Net, labels in training", (83.08, 84.59, 77.24, 87.39), 6.43, 0.099),
        Published("Slicer Network, labels in training", (83.68, 84.94, 77.97, 88.12), 6.10, 0.099),
        Published("MemWarp, labels in training", (89.61, 89.30, 86.49, 93.04), 3.93, 0.149),
    ),
}
WHOSE = {
    "paper": "Ha et al. 2020, 30 test patients",
    "memwarp": "Zhang et al. 2024, the challenge's 50 test patients",
}
SPREAD = {"paper": "std of J", "memwarp": "SDlogJ"}


def registration_table(found: Mapping[str, Any]) -> str:
    """Return a Markdown table of an evaluation beside the published ones of its protocol."""
    protocol = found["protocol"]
    spread = found["jacobian_std" if protocol == "paper" else "sdlogj"]
    rows = [
        f"| | Dice | RV | myocardium | LV | HD95 mm | {SPREAD[protocol]} | folds % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in PUBLISHED[protocol]:
        cells = [*(number(value, 1) for value in one.dice), number(one.hd95_mm, 2)]
        rows.append(_line(one.method, *cells, number(one.spread, 3), "-"))
    initial = (number(found["dice_initial"], 1), "-", "-", "-")
    rows.append(
        _line("*our patients, unregistered*", *initial, number(found["hd95_initial_mm"], 2), "", "")
    )
    ours = [number(found[f"dice_{part}"], 1) for part in ("mean", "rv", "myo", "lv")]
    rows.append(
        _line(
            *("**facewarp**", *(f"**{cell}**" for cell in ours), number(found["hd95_mm"], 2)),
            *(number(spread, 3), number(found["folds_percent"], 3)),
        )
    )
    about = (
        f"Ours: {found['n_pairs']} patients, {found['split']}; the others: {WHOSE[protocol]}. "
        f"SDlogJ of J itself {number(found['sdlogj_strict'], 3)}; the network's own parts "
        f"{number(found['parts_dice'], 1)} (RV {number(found['parts_dice_rv'], 1)}, myocardium "
        f"{number(found['parts_dice_myo'], 1)}, LV {number(found['parts_dice_lv'], 1)}); "
        f"{number(found['seconds_per_pair'], 1)} s a patient. " + _origin(found)
    )
    return "\n".join([*rows, "", about])


def volume_table(found: Mapping[str, Any]) -> str:
    """Return a Markdown table of the errors of volumes and ejection fraction."""
    rows = [
        "| | EDV ml | bias | ESV ml | bias | EF points | bias | EF, r |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, prefix in (("LV", ""), ("RV", "rv_")):
        cells = [
            number(found[f"{prefix}{key}"], digits)
            for key, digits in (
                *(("edv_mae_ml", 1), ("edv_bias_ml", 1), ("esv_mae_ml", 1), ("esv_bias_ml", 1)),
                *(("ef_mae", 2), ("ef_bias", 2), ("ef_correlation", 3)),
            )
        ]
        rows.append(_line(name, *cells))
    about = (
        f"Mean absolute errors over {found['n_volumes']} patients, {found['split']}. LV mass: "
        f"{number(found['mass_mae_g'], 1)} g off, bias {number(found['mass_bias_g'], 1)}. "
    )
    return "\n".join([*rows, "", about + _origin(found), "", *_group_rows(found["by_group"])])


def _group_rows(groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rows of a Markdown table by diagnosis: Dice, and errors with their bias."""
    rows = [
        "| Diagnosis | n | Dice | own parts | HD95 mm | LV EDV ml | LV ESV ml | EF | RV EF "
        "| mass g |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    errors = (("edv", "_ml"), ("esv", "_ml"), ("ef", ""), ("rv_ef", ""), ("mass", "_g"))
    for group, found in groups.items():
        cells = [
            f"{number(found[f'{name}_mae{unit}'], 1)} ({number(found[f'{name}_bias{unit}'], 1)})"
            for name, unit in errors
        ]
        dice = [number(found["dice_mean"], 1), number(found["parts_dice"], 1)]
        rows.append(_line(group, str(found["n_pairs"]), *dice, number(found["hd95_mm"], 2), *cells))
    return rows


def with_tables(page: str, evaluations: Sequence[Mapping[str, Any]]) -> str:
    """Return a page with the tables of evaluations between its marks.

    A table goes between ``<!-- NAME -->`` and ``<!-- end of NAME -->``, with the names ``paper``,
    ``memwarp`` and ``volumes``, the last by MemWarp's protocol.

    Raises:
        FacewarpError: the page has no such marks.
    """
    for found in evaluations:
        tables = {found["protocol"]: registration_table(found)}
        if found["protocol"] == "memwarp":
            tables["volumes"] = volume_table(found)
        for name, text in tables.items():
            begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
            if page.count(begin) != 1 or page.count(end) != 1:
                raise FacewarpError(f"the page has no place for {name}", fix=f"Mark it: {begin}")
            before, after = page.split(begin)[0], page.split(end)[1]
            page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _origin(found: Mapping[str, Any]) -> str:
    return (
        f"Printed by `facewarp eval acdc --protocol {found['protocol']}`, weights "
        f"`{found['weights_sha256'][:8]}`{_beside(found)}, {found['machine']}."
    )


def _beside(found: Mapping[str, Any]) -> str:
    sha256 = found["slices_sha256"]
    return f" with slices `{sha256[:8]}`" if sha256 else ""


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path, help="the Markdown page")
    parser.add_argument("evaluations", nargs="+", type=Path, help="what eval acdc --json printed")
    given = parser.parse_args(words)
    try:
        found = [read_evaluation(path) for path in given.evaluations]
        write_text(given.page, with_tables(given.page.read_text("utf-8"), found))
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    sys.stdout.write(f"{given.page}\n")


if __name__ == "__main__":
    main()
