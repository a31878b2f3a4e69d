#!/usr/bin/env bash
# The 95 % limits of agreement (Bland and Altman) of one table of ejection fractions, as three packages draw them:
# pingouin 0.7.0, statsmodels 0.15.0 and pyCompare 1.5.4.
#
# One would guess: the same lines, mean difference and 1.96 standard deviations of the differences, which Bland and
# Altman take over n - 1, as a sample's.
# What happens: pingouin's plot_blandaltman divides by n - 1; statsmodels' mean_diff_plot and pyCompare's blandAltman,
# which is named after them, divide by n (numpy.std as it is). Limits of 8 patients are 6.5 % too narrow there, of 15
# 3.4 %. The line's label is "1.96 SD" in all of them; none prints the SD.
# What follows: of one study with 8 readings twice, 1.96 SD is 5.2 points by one and 4.8 by the others: too narrow as
# the sample is smaller, where limits are uncertain anyway, and two papers' limits are not comparable. Scale by sqrt(n
# / (n - 1)). Ours are over n - 1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pingouin==0.7.0" "statsmodels==0.15.0" "pyCompare==1.5.4" "numpy==2.4.6" \
    "scipy==1.17.1" matplotlib
"$work/venv/bin/python" -W ignore - <<'PY'
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pingouin
import pyCompare
import statsmodels.graphics.api as graphics

first = np.array([62.0, 55.0, 48.0, 71.0, 58.0, 35.0, 64.0, 41.0])  # EF, %, by two readers
second = np.array([60.0, 58.0, 44.0, 69.0, 59.0, 31.0, 66.0, 40.0])
apart = first - second
wanted = {n: apart.mean() + 1.96 * apart.std(ddof=n) * np.array([-1, 1]) for n in (0, 1)}
print(f"over n - 1: {wanted[1].round(2)}; over n: {wanted[0].round(2)}")
WAYS = {
    "pingouin": (lambda axes: pingouin.plot_blandaltman(first, second, ax=axes), 1),
    "statsmodels": (lambda axes: graphics.mean_diff_plot(first, second, ax=axes), 0),
    "pyCompare": (lambda axes: pyCompare.blandAltman(first, second, ax=axes), 0),
}
for name, (draw, ddof) in WAYS.items():
    axes = plt.figure().subplots()
    draw(axes)
    heights = np.array([np.ravel(line.get_ydata())[0] for line in axes.lines], float)
    limits = np.array([heights.min(), heights.max()])
    print(f"{name:12} {limits.round(2)}")
    assert np.allclose(limits, wanted[ddof], atol=1e-3), name
    assert not np.allclose(limits, wanted[1 - ddof], atol=0.1), name
PY
