"""Draw docs/images/performance.png from what ``facewarp bench --json`` printed.

facewarp bench --json > bench.json; python docs/plot_times.py bench.json
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from facewarp.core.engines.profiling import multiply_adds
from facewarp.core.model import load

FIGURE = Path(__file__).parent / "images" / "performance.png"
OURS, OTHERS = "#1f78b4", "#b0b0b0"


def main() -> None:
    """Read the file named on the command line and write the figure."""
    found = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    names = ("register by", "reference", "OpenCV DIS", "MediaPipe")
    rows = [row for row in found["table"] if row["name"].startswith(names)]
    counts: dict[str, float] = {}
    for name, count in multiply_adds(load("face").net).items():
        net, index, *_ = name.split(".")
        group = "part network" if net == "parts" else f"step {int(index) + 1}"
        counts[group] = counts.get(group, 0) + count / 1e6
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.2), width_ratios=(3, 2), layout="constrained"
    )
    names = [row["name"].removeprefix("register by ") for row in rows]
    times = [row["median_ms"] for row in rows]
    colors = [OURS if row["name"].startswith("register") else OTHERS for row in rows]
    left.barh(names, times, color=colors)
    left.axvline(found["limit_ms"], color="k", lw=1, ls=":")
    for index, time in enumerate(times):
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        left.text(time + 0.4, index, f"{time:.1f}", va="center", fontsize=9, bbox=white)
    told = "dotted: a float matrix product\nof as many multiply-adds"
    left.text(max(times), 1, told, fontsize=8, ha="right", va="center")
    left.invert_yaxis()
    left.set_xlabel("ms, median")
    left.set_title(found["machine"], fontsize=8)
    right.barh(list(counts), list(counts.values()), color=OURS)
    right.invert_yaxis()
    right.set_xlabel("million multiply-adds a frame, both directions")
    for side in (left, right):
        side.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main()
