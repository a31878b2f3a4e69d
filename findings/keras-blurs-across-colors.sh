#!/usr/bin/env bash
# One picture blurred by keras.ops.image.gaussian_blur (Keras 3.15.1), as it is called in its documentation, by backend.
#
# One would guess: Keras 3 gives one result whatever computes it, and a picture (height, width, colors) is read as
# keras.config.image_data_format() says, which the documentation promises ("channels_last" unless set otherwise).
# What happens: with NumPy a white dot becomes a round spot whose sum is 1. With JAX and PyTorch the setting is not
# asked, and a missing data_format means channels first: rows are taken for channels, and the kernel runs over columns
# and colors. The dot is blurred sideways alone, 45 % of its light are left, and red, green and blue run into each
# other. Shape and type are right, nothing is said. resize, affine_transform and their like do ask.
# With PyTorch a kernel of 5 x 3 is moreover read as one of 3 x 5 in another order: the spot is not symmetric.
# What follows: pyramids, soft masks and losses on blurred pictures written with Keras are other ones with JAX or PyTorch
# than with NumPy. Say data_format="channels_last", and take square kernels.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "keras==3.15.1" "torch==2.13.0" "jax==0.10.2" "numpy==2.4.6"
cd "$work"
cat > blur.py <<'PY'
import sys

import keras
import numpy as np

blur = keras.ops.image.gaussian_blur
dot = np.zeros((1, 9, 9, 3), np.float32)
dot[0, 4, 4] = [1, 0, 0]  # red


def blurred(**settings):
    return keras.ops.convert_to_numpy(blur(dot, **settings))[0]


plain, said = blurred(), blurred(data_format="channels_last")
long = blurred(kernel_size=(5, 3), sigma=(2.0, 0.5), data_format="channels_last")[..., 0]
found = {
    "default": keras.config.image_data_format(),
    "sum of red": round(float(plain[..., 0].sum()), 3),
    "sum of green": round(float(plain[..., 1].sum()), 3),
    "rows reached": int((plain > 0).any((1, 2)).sum()),
    "said, sum of red": round(float(said[..., 0].sum()), 3),
    "5 x 3 symmetric": bool(np.allclose(long[:, : 9], long[:, 8::-1])) if long.shape == (9, 9) else "shape "
    + str(long.shape),
}
print(keras.backend.backend(), found)
backend = keras.backend.backend()
right = [1.0, 0.0, 3, 1.0] if backend == "numpy" else [0.452, 0.274, 1, 1.0]
ok = list(found.values())[1:5] == right and (backend == "torch") == (found["5 x 3 symmetric"] is not True)
sys.exit(0 if ok and found["default"] == "channels_last" else 1)
PY
for backend in numpy jax torch; do
    HOME="$work" KERAS_BACKEND=$backend "$work/venv/bin/python" -W ignore blur.py
done
