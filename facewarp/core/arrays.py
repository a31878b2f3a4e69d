"""Types of NumPy arrays that many modules share; each signature says shape and unit."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ImageArray = NDArray[np.uint8]
"""(h, w) gray or (h, w, 3) RGB, 0 to 255."""
Points = NDArray[np.float64]
"""(N, 2) points x, y in px."""
