#!/usr/bin/env bash
# A seeded elastic deformation, keras.ops.image.elastic_transform (Keras 3.15.1), by backend.
#
# One would guess: columns and rows are moved by two independent random fields, and a seed gives the same field again.
# What happens: with NumPy so. With JAX both fields are drawn by one and the same key, so that they are equal: everything
# moves along one diagonal, never along the other. With PyTorch the seed is not looked at (a generator is made on
# the device "meta" alone): the same call gives another field, by many pixels.
# What follows: a network trained on such pairs with JAX has never seen half of the directions. With PyTorch a picture
# and its mask or landmarks bent by two calls with one seed, which is the usual way, don't fit each other.
# Draw the field oneself and sample it by map_coordinates.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "keras==3.15.1" "torch==2.13.0" "jax==0.10.2" "numpy==2.4.6"
cd "$work"
cat > bend.py <<'PY'
import sys

import keras
import numpy as np

row, column = np.mgrid[:64, :64].astype(np.float32)
places = np.stack([column, row], -1)[None]  # each pixel says its column and row


def moved(seed):
    bent = keras.ops.image.elastic_transform(
        places, alpha=8.0, sigma=4.0, seed=seed, interpolation="bilinear", fill_mode="nearest",
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(bent - places)[0, 20:-20, 20:-20]


backend = keras.backend.backend()
alike, again = [], []
for seed in (1, 2, 3):
    field = moved(seed)
    alike.append(float(np.corrcoef(field[..., 0].ravel(), field[..., 1].ravel())[0, 1]))
    again.append(float(np.abs(moved(seed) - field).max()))
print(f"{backend}: correlation of the moves along columns and rows {np.round(alike, 2).tolist()}; "
      f"the same seed again is off by up to {max(again):.1f} px")
same_fields, other_field = min(alike) > 0.999, min(again) > 1
sys.exit(0 if (same_fields, other_field) == (backend == "jax", backend == "torch") else 1)
PY
for backend in numpy jax torch; do
    HOME="$work" KERAS_BACKEND=$backend "$work/venv/bin/python" -W ignore bend.py
done
