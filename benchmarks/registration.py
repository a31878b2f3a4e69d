"""Times of this machine: every engine and stage, the paper's recipe and OpenCV's DIS flow.

    python benchmarks/registration.py [--landmarker face_landmarker.task] [--json] ...

The same as ``facewarp bench``, whose options it takes. ``docs/plot_times.py`` draws them.
"""

import sys

from facewarp.cli.app import app

if __name__ == "__main__":
    app(["bench", *sys.argv[1:]], prog_name="facewarp")
